import hashlib
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillopen.core.errors import Misuse, Reason
from stillopen.core.journal import (
    NO_PARENT,
    PAYLOAD_BYTES_MAX,
    Entry,
    Lane,
    append,
    check_intact,
    check_shape,
    entry_digest,
    is_intact,
)

LANES = st.builds(
    Lane,
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    st.integers(1, 2**64 - 1),
)
SEQUENCES = st.integers(1, 2**63 - 1)
DIGESTS = st.binary(min_size=32, max_size=32)
PAYLOADS = st.binary(max_size=200)

ENTRY = append(Lane("R1", 7), 3, b"p" * 32, b"payload")


@given(LANES, SEQUENCES, DIGESTS, PAYLOADS)
def test_the_digest_is_the_documented_one(
    lane: Lane, sequence: int, parent: bytes, payload: bytes
) -> None:
    register = lane.register_id.encode()
    hashed = (
        b"stillopen.entry.v1\x00"
        + struct.pack(">H", len(register))
        + register
        + struct.pack(">QQ", lane.epoch, sequence)
        + parent
        + payload
    )
    assert entry_digest(lane, sequence, parent, payload) == hashlib.sha256(hashed).digest()


def test_the_digest_of_one_entry_is_this_one_for_ever() -> None:
    assert append(Lane("R1", 1), 1, NO_PARENT, b"x").digest.hex() == (
        "66ed52e1da7f17745497c5facdc944e25e8c91d81dbbd86d0bbe6f350a87ef7d"
    )


@pytest.mark.parametrize(
    "changed",
    [
        replace(ENTRY, lane=Lane("R2", 7)),
        replace(ENTRY, lane=Lane("R1", 8)),
        replace(ENTRY, sequence=4),
        replace(ENTRY, parent_digest=b"q" * 32),
        replace(ENTRY, payload=b"payloae"),
        replace(ENTRY, payload=b""),
        replace(ENTRY, digest=bytes(32)),
    ],
)
def test_every_field_is_under_the_digest(changed: Entry) -> None:
    assert is_intact(ENTRY)
    assert check_intact(ENTRY) is ENTRY
    assert not is_intact(changed)
    with pytest.raises(Misuse) as refusal:
        check_intact(changed)
    assert refusal.value.reason is Reason.DIGEST_MISMATCH


def test_a_register_id_cannot_flow_into_what_follows_it() -> None:
    assert entry_digest(Lane("R", 1), 1, NO_PARENT, b"") != entry_digest(
        Lane("R\0", 1), 1, NO_PARENT, b""
    )


@given(LANES, PAYLOADS, PAYLOADS)
def test_each_entry_names_the_one_before(lane: Lane, first: bytes, second: bytes) -> None:
    one = append(lane, 1, NO_PARENT, first)
    two = append(lane, 2, one.digest, second)
    assert check_intact(one).payload == first
    assert check_intact(two).parent_digest == one.digest


def test_a_payload_of_one_mebibyte_fits_and_a_byte_more_does_not() -> None:
    whole = append(Lane("R1", 7), 1, NO_PARENT, bytes(PAYLOAD_BYTES_MAX))
    assert check_intact(whole) is whole
    with pytest.raises(Misuse) as refusal:
        append(Lane("R1", 7), 1, NO_PARENT, bytes(PAYLOAD_BYTES_MAX + 1))
    assert refusal.value.field == "payload"


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (replace(ENTRY, lane=Lane("", 7)), "register_id"),
        (replace(ENTRY, lane=Lane("x" * 41, 7)), "register_id"),
        (replace(ENTRY, lane=Lane("R1", 0)), "epoch"),
        (replace(ENTRY, lane=Lane("R1", 2**64)), "epoch"),
        (replace(ENTRY, sequence=0), "sequence"),
        (replace(ENTRY, sequence=2**63), "sequence"),
        (replace(ENTRY, parent_digest=b""), "digest"),
        (replace(ENTRY, digest=bytes(31)), "digest"),
        (replace(ENTRY, payload=bytes(PAYLOAD_BYTES_MAX + 1)), "payload"),
    ],
)
def test_what_no_register_could_have_written_is_refused(entry: Entry, field: str) -> None:
    with pytest.raises(Misuse) as refusal:
        check_shape(entry)
    assert refusal.value.reason is Reason.INVALID_ARGUMENT
    assert refusal.value.field == field
