"""Numbers of credit memos: drawn by a register, checked by anybody, guessed by nobody.

"M", five characters that tell the register, sixteen random ones (80 bits from the operating
system) and a check character, in Base32 as people type it (protocol rule 11).
"""

import hashlib
import random

from stillopen.core.base32 import BITS, base32_text, check_character, read_base32
from stillopen.core.errors import invalid

LENGTH = 23
PREFIX_LENGTH = 6
RANDOM_BITS = 80


def prefix_of(register_id: str) -> str:
    """How the numbers of a register begin; another register's may by chance begin the same."""
    digest = hashlib.sha256(b"stillopen.memo.v1\0" + register_id.encode()).digest()
    return "M" + base32_text(int.from_bytes(digest[:4], "big"), PREFIX_LENGTH - 1)


def new_memo_number(register_id: str, rng: random.Random) -> str:
    """A new number; `rng` is the operating system's in production, never a seeded one."""
    body = prefix_of(register_id) + base32_text(rng.getrandbits(RANDOM_BITS), RANDOM_BITS // BITS)
    return body + check_character(body)


def read_memo_number(number: str) -> str:
    """The number as it was drawn, from one that has its length and letter; others unchanged.

    Misuse INVALID_ARGUMENT when it was mistyped.
    """
    if len(number) != LENGTH or not number.startswith("M"):
        return number
    read = read_base32(number)
    if read is None:
        raise invalid("number", "mistyped: its last character does not fit the others")
    return read


def is_memo_number(number: str) -> bool:
    """Whether a register may have drawn it, as far as its form tells."""
    return len(number) == LENGTH and number.startswith("M")


def printed(number: str) -> str:
    """The number in groups, as people read it."""
    parts = [number[:PREFIX_LENGTH], *(number[i : i + 4] for i in range(PREFIX_LENGTH, LENGTH, 4))]
    return "-".join(parts)
