"""Numbers of credit memos: drawn by a register, checked by anybody, guessed by nobody.

"M", five characters that tell the register, sixteen random ones (80 bits from the operating
system) and a check character (Luhn mod 32), in the alphabet of Crockford's Base32, which has no I,
L, O or U. People may type those all the same: O is read as 0, I and L as 1 (protocol rule 11).
"""

import hashlib
import random

from stillopen.core.errors import invalid

LENGTH = 23
PREFIX_LENGTH = 6
RANDOM_BITS = 80

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BITS = 5
_READ_AS = str.maketrans("OIL", "011")


def prefix_of(register_id: str) -> str:
    """How the numbers of a register begin; another register's may by chance begin the same."""
    digest = hashlib.sha256(b"stillopen.memo.v1\0" + register_id.encode()).digest()
    return "M" + _text(int.from_bytes(digest[:4], "big"), PREFIX_LENGTH - 1)


def new_memo_number(register_id: str, rng: random.Random) -> str:
    """A new number; `rng` is the operating system's in production, never a seeded one."""
    body = prefix_of(register_id) + _text(rng.getrandbits(RANDOM_BITS), RANDOM_BITS // _BITS)
    return body + _check_character(body)


def read_memo_number(number: str) -> str:
    """The number as it was drawn, from one that has its length and letter; others unchanged.

    Misuse INVALID_ARGUMENT when it was mistyped.
    """
    if len(number) != LENGTH or not number.startswith("M"):
        return number
    read = number.translate(_READ_AS)
    if any(c not in _ALPHABET for c in read) or _check_character(read[:-1]) != read[-1]:
        raise invalid("number", "mistyped: its last character does not fit the others")
    return read


def is_memo_number(number: str) -> bool:
    """Whether a register may have drawn it, as far as its form tells."""
    return len(number) == LENGTH and number.startswith("M")


def printed(number: str) -> str:
    """The number in groups, as people read it."""
    parts = [number[:PREFIX_LENGTH], *(number[i : i + 4] for i in range(PREFIX_LENGTH, LENGTH, 4))]
    return "-".join(parts)


def _text(value: int, length: int) -> str:
    return "".join(_ALPHABET[(value >> (_BITS * i)) & 31] for i in reversed(range(length)))


def _check_character(body: str) -> str:
    total = 0
    for place, character in enumerate(reversed(body)):
        doubled = _ALPHABET.index(character) * (2 if place % 2 == 0 else 1)
        total += doubled // 32 + doubled % 32
    return _ALPHABET[-total % 32]
