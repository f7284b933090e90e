"""Card numbers: how they are written, and how a card is found without keeping its number.

A card is looked up by HMAC(key, SHA-256(normalised number)). The key never leaves headquarters;
`card_id` derives from that value, so that a re-imported card has the same id (protocol rule 11).
"""

import hashlib
import hmac
import re

from stillopen.core.errors import invalid

_NUMBER = re.compile(r"[0-9A-Z]{4,40}\Z")


def normalise(number: str) -> str:
    """The number without spaces and hyphens, letters capital; refuses what is no card number."""
    normal = number.replace(" ", "").replace("-", "").upper()
    if not number.isascii() or not _NUMBER.match(normal):
        raise invalid("number", "a card number has 4 to 40 digits or letters")
    return normal


def last_four(number: str) -> str:
    """The only part of a number that is kept in clear."""
    return normalise(number)[-4:]


def look_up_value(key: bytes, number: str) -> bytes:
    """What a card is found by, 32 bytes."""
    return hmac.digest(key, hashlib.sha256(normalise(number).encode()).digest(), "sha256")


def card_id(look_up: bytes) -> str:
    """Headquarters' name for the card: 32 hexadecimal digits."""
    return hashlib.sha256(b"stillopen.card.v1\0" + look_up).hexdigest()[:32]
