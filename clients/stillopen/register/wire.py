"""The register's status as a message."""

from google.protobuf.timestamp_pb2 import Timestamp

from stillopen.register.connectivity import Mode
from stillopen.register.mode_log import ModeChange
from stillopen.register.operations import Judged
from stillopen.register.status import Status
from stillopen.rpc.wire import money_to, time_to
from stillopen.v1 import register_pb2

_MODES = {
    Mode.ONLINE: register_pb2.CONNECTION_MODE_ONLINE,
    Mode.OFFLINE: register_pb2.CONNECTION_MODE_OFFLINE,
    Mode.OFFLINE_MANUAL: register_pb2.CONNECTION_MODE_OFFLINE_MANUAL,
}


class StatusWire:
    """Makes messages; the log of mode changes is made again only when it changed."""

    def __init__(self) -> None:
        self._changes: tuple[ModeChange, ...] = ()
        self._changes_to: list[register_pb2.ModeChange] = []

    def status_to(self, status: Status) -> register_pb2.RegisterStatus:
        """A status as a message."""
        if status.mode_changes is not self._changes:
            self._changes = status.mode_changes
            self._changes_to = [_change_to(each) for each in self._changes]
        waiting, connection = status.waiting, status.connection
        return register_pb2.RegisterStatus(
            register_id=status.register_id,
            store_id=status.store_id,
            mode=_MODES[connection.mode],
            mode_reason=connection.reason,
            mode_since=time_to(connection.since.wall_s),
            link_up=status.link_up,
            headquarters_reachable=status.headquarters_reachable,
            waiting_entries=waiting.entries,
            waiting_headquarters=waiting.headquarters_entries,
            waiting_amount=money_to(waiting.amount) if waiting.amount else None,
            waiting_since=_maybe(waiting.since_wall_s),
            offline_ready=not status.missing,
            offline_missing=status.missing,
            catalogue_sequence=status.catalogue_sequence,
            parameters_version=status.parameters_version,
            staff_id=status.staff_id,
            open_transaction_id=status.open_transaction_id,
            operations=[each.operation.name for each in status.operations if each.why_not is None],
            lane_announced=status.lane_announced,
            cashier_asked=connection.asks,
            next_reconnect_s=status.next_reconnect_s,
            last_acknowledgement=_maybe(status.last_acknowledgement_wall_s),
            last_package=_maybe(status.last_package_wall_s),
            waiting_down_bytes=status.waiting_down_bytes,
            data_age_s=status.data_age_s,
            check_again=connection.check_again,
            all_operations=[_operation_to(each) for each in status.operations],
            mode_changes=self._changes_to,
            clock_suspect=status.clock_suspect,
            waiting_suspended=status.waiting_suspended,
        )


def without_countdowns(status: register_pb2.RegisterStatus) -> register_pb2.RegisterStatus:
    """The status without what changes by itself with time, to know whether there is news."""
    lasting = register_pb2.RegisterStatus()
    lasting.CopyFrom(status)
    lasting.ClearField("next_reconnect_s")
    lasting.ClearField("data_age_s")
    return lasting


def _maybe(wall_s: float | None) -> Timestamp | None:
    return None if wall_s is None else time_to(wall_s)


def _operation_to(judged: Judged) -> register_pb2.Operation:
    return register_pb2.Operation(
        name=judged.operation.name,
        operation_ids=judged.operation.operation_ids,
        works_now=judged.why_not is None,
        why_not=str(judged.why_not or ""),
    )


def _change_to(change: ModeChange) -> register_pb2.ModeChange:
    return register_pb2.ModeChange(
        mode=_MODES[change.mode], reason=change.reason, time=time_to(change.wall_s)
    )
