"""Messages to values and back: money, master data, journal entries."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from stillopen.core.journal import Entry, Head, Lane, Stored
from stillopen.core.money import Money
from stillopen.core.parameters import OfflineProfile
from stillopen.core.permissions import CASHIER, Permissions, permissions_named
from stillopen.core.products import Product, StaffMember
from stillopen.core.tax import Tax
from stillopen.v1 import sync_pb2, types_pb2

_PERMISSION = "PERMISSION_"
_ALARM = "LANE_ALARM_KIND_"
_ALARMS = {
    value: name.removeprefix(_ALARM) for name, value in types_pb2.LaneAlarmKind.items() if value
}


def money_to(money: Money) -> types_pb2.Money:
    """Money as a message."""
    return types_pb2.Money(currency_code=money.currency, minor_units=money.minor)


def money_from(message: types_pb2.Money) -> Money:
    """Money from a message."""
    return Money(message.currency_code, message.minor_units)


def time_to(wall_s: float) -> Timestamp:
    """A moment as a message, to the millisecond."""
    milliseconds = round(wall_s * 1000)
    return Timestamp(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def time_from(message: Timestamp) -> float:
    """A moment from a message, in seconds since 1970."""
    return message.seconds + message.nanos / 1e9


def duration_to(seconds: float) -> Duration:
    """A span as a message, to the microsecond."""
    message = Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message


def duration_from(message: Duration) -> float:
    """A span from a message, in seconds."""
    return (message.seconds * 1_000_000 + message.nanos // 1000) / 1e6


def product_to(product: Product) -> types_pb2.Product:
    """A product as a message."""
    return types_pb2.Product(
        product_id=product.product_id,
        name=product.name,
        price=money_to(product.price),
        barcodes=product.barcodes,
        tax_group=product.tax.group,
        tax_percent_milli=product.tax.percent_milli,
    )


def product_from(message: types_pb2.Product) -> Product:
    """A product from a message."""
    return Product(
        message.product_id,
        message.name,
        money_from(message.price),
        tuple(message.barcodes),
        Tax(message.tax_group, message.tax_percent_milli),
    )


def staff_to(member: StaffMember) -> types_pb2.StaffMember:
    """A person as a message, the password hash included: for replicas only."""
    return types_pb2.StaffMember(
        staff_id=member.staff_id,
        name=member.name,
        password_hash=member.password_hash,
        role_id=member.role_id,
        blocked=member.blocked,
        permissions=permissions_to(member.permissions),
    )


def staff_from(message: types_pb2.StaffMember) -> StaffMember:
    """A person from a message."""
    return StaffMember(
        message.staff_id,
        message.name,
        message.password_hash,
        message.role_id or CASHIER.role_id,
        message.blocked,
        permissions_from(message.permissions),
    )


def permissions_to(permissions: Permissions) -> list[types_pb2.Permission.ValueType]:
    """Permissions as numbers, in their order."""
    return sorted(types_pb2.Permission.Value(f"{_PERMISSION}{each}") for each in permissions)


def permissions_from(numbers: Iterable[types_pb2.Permission.ValueType]) -> Permissions:
    """Permissions from numbers; what newer software knows allows nothing here."""
    named = types_pb2.Permission.DESCRIPTOR.values_by_number
    return permissions_named(
        named[each].name.removeprefix(_PERMISSION) for each in numbers if each in named
    )


def profile_to(profile: OfflineProfile) -> types_pb2.OfflineProfile:
    """An offline profile as a message."""
    return types_pb2.OfflineProfile(
        name=profile.name,
        timeout_s=profile.timeout_s,
        reconnect_interval_s=profile.reconnect_interval_s,
        retry_count_to_offline=profile.retry_count_to_offline,
        heartbeat_interval_s=profile.heartbeat_interval_s,
        prompt_on_seamless_offline=profile.prompt_on_seamless_offline,
        allow_manual_offline_before_sign_in=profile.allow_manual_offline_before_sign_in,
        enable_advanced_offline_switching=profile.enable_advanced_offline_switching,
        system_health_check_interval_s=profile.system_health_check_interval_s,
        minimum_dwell_s=profile.minimum_dwell_s,
        offline_switch_api_performance_threshold_s=(
            profile.offline_switch_api_performance_threshold_s
        ),
        reconnect_from_performance_induced_offline_interval_s=(
            profile.reconnect_from_performance_induced_offline_interval_s
        ),
        failure_count=profile.failure_count,
        failure_window_s=profile.failure_window_s,
        description=profile.description,
        pause_offline_sync=profile.pause_offline_sync,
        transaction_upload_interval_s=profile.transaction_upload_interval_s,
        new_offline_database_check_interval_s=profile.new_offline_database_check_interval_s,
        upload_transaction_size=profile.upload_transaction_size,
        excluded_jobs=profile.excluded_jobs,
        excluded_tables=profile.excluded_tables,
        download_max_kib_per_s=profile.download_max_kib_per_s,
        upload_max_kib_per_s=profile.upload_max_kib_per_s,
        pause_channel_sync=profile.pause_channel_sync,
    )


def profile_from(message: types_pb2.OfflineProfile) -> OfflineProfile:
    """An offline profile from a message; what an older sender does not say is as in `core`."""
    said = OfflineProfile(
        name=message.name,
        timeout_s=message.timeout_s,
        reconnect_interval_s=message.reconnect_interval_s,
        retry_count_to_offline=message.retry_count_to_offline,
        heartbeat_interval_s=message.heartbeat_interval_s,
        prompt_on_seamless_offline=message.prompt_on_seamless_offline,
        allow_manual_offline_before_sign_in=message.allow_manual_offline_before_sign_in,
        enable_advanced_offline_switching=message.enable_advanced_offline_switching,
        offline_switch_api_performance_threshold_s=(
            message.offline_switch_api_performance_threshold_s
        ),
        description=message.description,
        pause_offline_sync=message.pause_offline_sync,
        transaction_upload_interval_s=message.transaction_upload_interval_s,
        new_offline_database_check_interval_s=message.new_offline_database_check_interval_s,
        excluded_jobs=tuple(sorted(set(message.excluded_jobs))),
        excluded_tables=tuple(sorted(set(message.excluded_tables))),
        download_max_kib_per_s=message.download_max_kib_per_s,
        upload_max_kib_per_s=message.upload_max_kib_per_s,
        pause_channel_sync=message.pause_channel_sync,
    )
    if message.HasField("system_health_check_interval_s"):
        said = replace(said, system_health_check_interval_s=message.system_health_check_interval_s)
    if message.HasField("minimum_dwell_s"):
        said = replace(said, minimum_dwell_s=message.minimum_dwell_s)
    if message.HasField("reconnect_from_performance_induced_offline_interval_s"):
        interval_s = message.reconnect_from_performance_induced_offline_interval_s
        said = replace(said, reconnect_from_performance_induced_offline_interval_s=interval_s)
    if message.HasField("failure_count"):
        said = replace(said, failure_count=message.failure_count)
    if message.HasField("failure_window_s"):
        said = replace(said, failure_window_s=message.failure_window_s)
    if message.HasField("upload_transaction_size"):
        said = replace(said, upload_transaction_size=message.upload_transaction_size)
    return said


def entry_to(entry: Entry) -> types_pb2.Entry:
    """A journal entry as a message; its payload is carried as it is."""
    return types_pb2.Entry(
        register_id=entry.lane.register_id,
        epoch=entry.lane.epoch,
        sequence=entry.sequence,
        parent_digest=entry.parent_digest,
        digest=entry.digest,
        payload=entry.payload,
    )


def entry_from(message: types_pb2.Entry) -> Entry:
    """A journal entry from a message."""
    return Entry(
        Lane(message.register_id, message.epoch),
        message.sequence,
        message.parent_digest,
        message.digest,
        message.payload,
    )


def position_to(lane: Lane, sequence: int) -> types_pb2.JournalPosition:
    """A place in a journal as a message."""
    return types_pb2.JournalPosition(
        register_id=lane.register_id, epoch=lane.epoch, sequence=sequence
    )


def head_to(head: Head) -> sync_pb2.LaneClaim:
    """A lane as its sender knows it, as a message."""
    return sync_pb2.LaneClaim(
        register_id=head.lane.register_id,
        epoch=head.lane.epoch,
        first=head.first,
        head=head.last,
        head_digest=head.digest,
        believed=head.believed,
        claimed_head=head.claimed,
        heard=head.heard,
        missing=[types_pb2.EntryRange(first=first, last=last) for first, last in head.missing],
        alarms=[types_pb2.LaneAlarmKind.Value(f"{_ALARM}{kind}") for kind in head.alarms],
    )


def head_from(message: sync_pb2.LaneClaim) -> Head:
    """A lane as its sender knows it, from a message."""
    return Head(
        Lane(message.register_id, message.epoch),
        message.first,
        message.head,
        message.head_digest,
        message.believed,
        message.claimed_head,
        message.heard,
        tuple((each.first, each.last) for each in message.missing),
        tuple(_ALARMS[kind] for kind in message.alarms if kind in _ALARMS),
    )


def stored_to(stored: Stored) -> sync_pb2.LaneState:
    """A lane as the server knows it, as a message."""
    return sync_pb2.LaneState(
        register_id=stored.lane.register_id,
        epoch=stored.lane.epoch,
        stored_through=stored.through,
        headquarters_through=stored.headquarters_through,
        purge_through=stored.purge_through,
        headquarters_knows=stored.headquarters_knows,
    )


def stored_from(message: sync_pb2.LaneState) -> Stored:
    """A lane as the server knows it, from a message."""
    return Stored(
        Lane(message.register_id, message.epoch),
        message.stored_through,
        message.headquarters_through,
        message.purge_through,
        message.headquarters_knows,
    )


def lane_from(message: types_pb2.JournalPosition) -> Lane:
    """The lane of a place in a journal."""
    return Lane(message.register_id, message.epoch)
