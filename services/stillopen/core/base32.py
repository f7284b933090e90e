"""Random numbers that people type: Crockford's Base32 with a check character.

The alphabet has no I, L, O or U. People may type those all the same: O is read as 0, I and L as 1.
"""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BITS = 5
_READ_AS = str.maketrans("OIL", "011")


def base32_text(value: int, length: int) -> str:
    """The last `length` characters of a number."""
    return "".join(ALPHABET[(value >> (BITS * i)) & 31] for i in reversed(range(length)))


def check_character(body: str) -> str:
    """The character that tells one mistyped or two exchanged ones (Luhn mod 32)."""
    total = 0
    for place, character in enumerate(reversed(body)):
        doubled = ALPHABET.index(character) * (2 if place % 2 == 0 else 1)
        total += doubled // 32 + doubled % 32
    return ALPHABET[-total % 32]


def read_base32(text: str) -> str | None:
    """What was drawn, from what somebody typed; nothing when its last character does not fit."""
    read = text.translate(_READ_AS)
    if not read or any(c not in ALPHABET for c in read) or check_character(read[:-1]) != read[-1]:
        return None
    return read
