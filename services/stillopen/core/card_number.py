"""Card numbers: how they are written, and how a card is found without keeping its number.

A card is looked up by HMAC(key, SHA-256(normalised number)). The key never leaves headquarters;
`card_id` derives from that value, so that a re-imported card has the same id (protocol rule 11).
"""

import hashlib
import hmac
import re

from stillopen.core.errors import Misuse, invalid
from stillopen.core.memo_number import read_memo_number
from stillopen.core.purpose import CardKind

_NUMBER = re.compile(r"[0-9A-Z]{4,40}\Z")


def normalise(number: str) -> str:
    """The number without spaces and hyphens, letters capital; refuses what is no card number."""
    normal = number.replace(" ", "").replace("-", "").upper()
    if not number.isascii() or not _NUMBER.match(normal):
        raise invalid("number", "a card number has 4 to 40 digits or letters")
    return normal


def read_any(number: str) -> str:
    """The number of a card of whatever kind, as it is compared."""
    normal = normalise(number)
    try:
        return read_memo_number(normal)
    except Misuse:
        return normal  # a gift card may look like a memo


def read_number(number: str, kind: CardKind) -> str:
    """The number of a card of that kind, as it is compared; refuses one that was mistyped."""
    normal = normalise(number)
    return read_memo_number(normal) if kind is CardKind.CREDIT_MEMO else normal


def last_four(number: str) -> str:
    """The only part of a number that is kept in clear."""
    return normalise(number)[-4:]


def look_up_value(key: bytes, number: str) -> bytes:
    """What a card is found by, 32 bytes."""
    return look_up_digest(key, number_digest(number))


def number_digest(number: str) -> bytes:
    """SHA-256 of a number as it is compared; for a credit memo's also what a journal holds."""
    return hashlib.sha256(normalise(number).encode()).digest()


def look_up_digest(key: bytes, number_sha256: bytes) -> bytes:
    """The same as `look_up_value`, from the number's digest."""
    return hmac.digest(key, number_sha256, "sha256")


def card_id(look_up: bytes) -> str:
    """Headquarters' name for the card: 32 hexadecimal digits."""
    return hashlib.sha256(b"stillopen.card.v1\0" + look_up).hexdigest()[:32]
