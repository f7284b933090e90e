"""What is written as a message is read back as it was."""

from hypothesis import example, given
from hypothesis import strategies as st

from stillopen.core.journal import Entry, Head, Lane, Stored
from stillopen.core.money import Money
from stillopen.core.parameters import CardParameters, OfflineProfile, Parameters
from stillopen.core.products import Product, StaffMember
from stillopen.rpc import wire, wire_parameters
from stillopen.v1 import sync_pb2, types_pb2

INT64 = st.integers(-(2**63), 2**63 - 1)
UINT64 = st.integers(0, 2**64 - 1)
TEXT = st.text(max_size=20)
MICROSECONDS = st.integers(0, 366 * 86_400 * 10**6)
SECONDS = st.integers(0, 366 * 86_400 * 4).map(lambda quarters: quarters / 4)
MONEY = st.builds(Money, TEXT, INT64)
LANES = st.builds(Lane, TEXT, UINT64)


@given(MONEY)
def test_money(money: Money) -> None:
    assert wire.money_from(wire.money_to(money)) == money


@given(st.integers(-(10**13), 10**14))
def test_moments_are_kept_to_the_millisecond(milliseconds: int) -> None:
    message = wire.time_to(milliseconds / 1000)
    assert 0 <= message.nanos < 10**9
    assert message.seconds * 1000 + message.nanos // 10**6 == milliseconds
    assert wire.time_to(wire.time_from(message)) == message


@given(MICROSECONDS)
@example(1_485_645)
def test_spans_are_kept_to_the_microsecond(microseconds: int) -> None:
    message = wire.duration_to(microseconds / 10**6)
    assert message.seconds * 10**6 + message.nanos // 1000 == microseconds
    assert wire.duration_from(message) == microseconds / 10**6


def test_an_absent_span_is_none_at_all() -> None:
    empty = types_pb2.CardParameters()
    assert wire.duration_from(empty.conclude_within) == 0.0
    assert not wire_parameters.parameters_from(
        types_pb2.Parameters()
    ).gift_card.allow_concluding_offline
    assert wire_parameters.parameters_from(types_pb2.Parameters()).gift_card.terms_s == 0.0


@given(st.builds(Product, TEXT, TEXT, MONEY, st.lists(TEXT, max_size=5).map(tuple)))
def test_products(product: Product) -> None:
    assert wire.product_from(wire.product_to(product)) == product


@given(st.builds(StaffMember, TEXT, TEXT, TEXT))
def test_staff(member: StaffMember) -> None:
    assert wire.staff_from(wire.staff_to(member)) == member


CARDS = st.builds(CardParameters, st.booleans(), SECONDS, SECONDS, SECONDS, SECONDS)


@given(st.builds(Parameters, UINT64, TEXT, CARDS))
def test_parameters(parameters: Parameters) -> None:
    assert wire_parameters.parameters_from(wire_parameters.parameters_to(parameters)) == parameters


UINT32 = st.integers(0, 2**32 - 1)
SWITCHES = (st.booleans(), st.booleans(), st.booleans())
HYSTERESIS = (SECONDS, SECONDS, SECONDS, SECONDS, UINT32, SECONDS)


UPLOADS = (TEXT, st.booleans(), SECONDS, SECONDS, UINT32)


@given(
    st.builds(
        OfflineProfile,
        TEXT,
        SECONDS,
        SECONDS,
        UINT32,
        SECONDS,
        *SWITCHES,
        *HYSTERESIS,
        *UPLOADS,
        download_max_kib_per_s=UINT32,
        upload_max_kib_per_s=UINT32,
        pause_channel_sync=st.booleans(),
    )
)
def test_profiles(profile: OfflineProfile) -> None:
    sent = wire.profile_to(profile).SerializeToString()
    assert wire.profile_from(types_pb2.OfflineProfile.FromString(sent)) == profile


def test_a_profile_of_older_software_turns_nothing_on_and_has_the_defaults() -> None:
    older = types_pb2.OfflineProfile(
        name="Default",
        timeout_s=3.0,
        reconnect_interval_s=300.0,
        retry_count_to_offline=1,
        heartbeat_interval_s=5.0,
    )
    assert wire.profile_from(older) == OfflineProfile()


DIGESTS = st.binary(max_size=40)


@given(st.builds(Entry, LANES, UINT64, DIGESTS, DIGESTS, st.binary(max_size=200)))
def test_entries_across_serialization(entry: Entry) -> None:
    sent = wire.entry_to(entry).SerializeToString()
    assert wire.entry_from(types_pb2.Entry.FromString(sent)) == entry


@given(LANES, UINT64)
def test_positions(lane: Lane, sequence: int) -> None:
    message = wire.position_to(lane, sequence)
    assert (message.register_id, message.epoch) == (lane.register_id, lane.epoch)
    assert message.sequence == sequence


@given(st.builds(Head, LANES, UINT64, UINT64, DIGESTS))
def test_heads(head: Head) -> None:
    sent = wire.head_to(head).SerializeToString()
    assert wire.head_from(sync_pb2.LaneClaim.FromString(sent)) == head


@given(st.builds(Stored, LANES, UINT64, UINT64, UINT64))
def test_what_is_stored(stored: Stored) -> None:
    sent = wire.stored_to(stored).SerializeToString()
    assert wire.stored_from(sync_pb2.LaneState.FromString(sent)) == stored
