"""What a register says of itself to its channel, and through it to headquarters."""

from stillopen.register.status import Status
from stillopen.replication.frames import SOFTWARE_VERSION, cursor_to
from stillopen.replication.ports import Cursor
from stillopen.replication.reports import Report, short
from stillopen.rpc.wire import money_to, time_to


def report_of(status: Status, cursor: Cursor, package_refusal: str) -> Report:
    """The report of a register that stands so; when it was said, the channel adds."""
    waiting, connection = status.waiting, status.connection
    amount = waiting.headquarters_amount
    return Report(
        register_id=status.register_id,
        offline=not connection.online,
        offline_reason="" if connection.online else connection.reason,
        offline_since_time=None if connection.online else time_to(connection.since.wall_s),
        waiting_entries=waiting.headquarters_entries,
        waiting_amount=money_to(amount) if amount else None,
        cursor=cursor_to(cursor),
        parameters_version=status.parameters_version,
        software_version=SOFTWARE_VERSION,
        missing=status.missing,
        package_refusal=short(package_refusal),
    )
