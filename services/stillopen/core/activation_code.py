"""Activation codes: with one a device becomes known, once, within a day.

Fifteen random characters (75 bits from the operating system) and a check character, in groups of
four: `7K3M-9QWX-...`. Who has the code is believed, so it can be guessed by nobody, and only its
SHA-256 is kept.
"""

import hashlib
import random
import re

from stillopen.core.base32 import BITS, base32_text, check_character, read_base32
from stillopen.core.errors import Reason, Refused

RANDOM_BITS = 75
LENGTH = RANDOM_BITS // BITS + 1
GROUP = 4
GOOD_FOR_S = 24 * 3600.0
_BETWEEN = re.compile(r"[\s-]+")
_TYPED_MAX = 4 * LENGTH


def new_activation_code(rng: random.Random) -> str:
    """A new code in groups; `rng` is the operating system's in production, never a seeded one."""
    body = base32_text(rng.getrandbits(RANDOM_BITS), LENGTH - 1)
    code = body + check_character(body)
    return "-".join(code[i : i + GROUP] for i in range(0, LENGTH, GROUP))


def code_digest(typed: str) -> bytes:
    """What is kept of a code, from what somebody typed; Refused CODE_UNKNOWN when mistyped."""
    code = read_base32(_BETWEEN.sub("", typed[:_TYPED_MAX]).upper())
    if code is None or len(code) != LENGTH:
        raise Refused(
            Reason.CODE_UNKNOWN,
            f"not an activation code: it has {LENGTH} letters and digits, one was mistyped",
            "activation_code",
        )
    return hashlib.sha256(b"stillopen.activation.v1\0" + code.encode()).digest()


def code_unknown() -> Refused:
    """The one answer for a code that was never given out, was used, is void or has expired."""
    return Refused(
        Reason.CODE_UNKNOWN,
        "this activation code is not good: it was used, replaced or is older than a day;"
        " ask headquarters for a new one",
        "activation_code",
    )
