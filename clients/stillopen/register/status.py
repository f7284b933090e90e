"""What the cashier is told: which mode, why, since when, what works and what waits."""

from dataclasses import dataclass

from stillopen.core.allowed import held_in
from stillopen.core.products import StaffMember
from stillopen.register import carts
from stillopen.register.connectivity import Connectivity
from stillopen.register.deliveries import Deliveries
from stillopen.register.failover import Failover
from stillopen.register.journal import Journal
from stillopen.register.mode_log import ModeChange
from stillopen.register.operations import Circumstances, Judged, judge
from stillopen.register.readiness import missing_offline, recent
from stillopen.register.sales import SaleStore
from stillopen.register.server_time import ServerTime
from stillopen.register.waiting import Waiting
from stillopen.replication.client import SyncClient
from stillopen.replication.replica import Replica


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a register at one moment."""

    register_id: str
    store_id: str
    connection: Connectivity
    next_reconnect_s: float | None
    link_up: bool
    headquarters_reachable: bool
    waiting: Waiting
    waiting_down_bytes: int
    last_acknowledgement_wall_s: float | None
    last_package_wall_s: float | None
    data_age_s: float | None
    missing: tuple[str, ...]
    catalogue_sequence: int
    parameters_version: int
    staff_id: str
    open_transaction_id: str
    operations: tuple[Judged, ...]
    lane_announced: bool
    mode_changes: tuple[ModeChange, ...]
    clock_suspect: bool
    waiting_suspended: int


class StatusBoard:
    """Puts the status together, from what is counted already: nothing here reads a journal."""

    def __init__(
        self,
        journal: Journal,
        replica: Replica,
        failover: Failover,
        link: SyncClient,
        sales: SaleStore,
        deliveries: Deliveries,
        server_time: ServerTime,
    ) -> None:
        self._journal = journal
        self._replica = replica
        self._failover = failover
        self._link = link
        self._sales = sales
        self._deliveries = deliveries
        self._server_time = server_time

    async def now(self, store_id: str, person: StaffMember | None) -> Status:
        """The status now."""
        waiting = await self._journal.waiting()
        sale = await self._sales.open_sale()
        missing = missing_offline(self._replica, supported=self._failover.offline_supported)
        age_s = self._deliveries.data_age_s
        state = self._failover.state
        return Status(
            register_id=self._journal.lane.register_id,
            store_id=store_id,
            connection=state,
            next_reconnect_s=self._failover.next_reconnect_s,
            link_up=self._link.up,
            headquarters_reachable=self._failover.headquarters_reachable,
            waiting=waiting,
            waiting_down_bytes=self._link.package_bytes_missing,
            last_acknowledgement_wall_s=self._deliveries.acknowledged_wall_s,
            last_package_wall_s=self._deliveries.package_wall_s,
            data_age_s=age_s,
            missing=missing or recent(store_id, age_s),
            catalogue_sequence=self._replica.at.sequence,
            parameters_version=self._replica.parameters.version,
            staff_id=person.staff_id if person else "",
            open_transaction_id=sale.transaction_id if sale else "",
            operations=judge(
                Circumstances(
                    online=state.online,
                    has_data=not missing,
                    headquarters_reachable=self._failover.headquarters_reachable,
                    held=held_in(sale, person.permissions) if person else None,
                    may_switch=bool(person) or self._failover.may_switch_unsigned,
                    asked=state.asks,
                )
            ),
            lane_announced=self._journal.headquarters_knows,
            mode_changes=self._failover.log.changes,
            clock_suspect=self._server_time.suspect,
            waiting_suspended=await self._journal.engine.read(carts.waiting),
        )
