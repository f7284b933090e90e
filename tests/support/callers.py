"""Who calls in tests, each with the secret that an enrolled estate knows it by."""

import hashlib

from stillopen.rpc.identity import Caller, CallerKind


def secret_of(kind: CallerKind, name: str) -> str:
    """The secret of everybody in a test's estate."""
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()


def caller(kind: CallerKind, name: str) -> Caller:
    """Somebody, with its secret."""
    return Caller(kind, name, secret_of(kind, name))


def register(name: str) -> Caller:
    """A register."""
    return caller(CallerKind.REGISTER, name)


def channel(store_id: str) -> Caller:
    """A store's channel."""
    return caller(CallerKind.CHANNEL, store_id)


def person(name: str) -> Caller:
    """Somebody who signed in at headquarters."""
    return caller(CallerKind.PERSON, name)


HEADQUARTERS = caller(CallerKind.HEADQUARTERS, "headquarters")
