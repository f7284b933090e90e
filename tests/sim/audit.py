"""What the estate says of itself when all is over, read with the calls that anybody has."""

import asyncio
import contextlib
from collections import Counter

import grpc.aio
from tests.sim.clearing import is_home
from tests.sim.history import Answers, History, Kind, now_s
from tests.sim.losses import Losses
from tests.sim.witness import parents_on
from tests.sim.world import OFFICE, TIMEOUT_S, Estate

from stillopen.core.errors import Refused
from stillopen.register.handing import FINISH_AFTER_S
from stillopen.rpc.status import call, error_of
from stillopen.v1 import headquarters_pb2, realtime_pb2, register_pb2

DRAIN_S = 120.0
"""P7: how long after everything works again all is home, without a person."""
CHANGING_TABLES = ("product", "parameters")
OTHER_TABLES = ("barcode", "offline_profile", "staff", "role", "register", "store", "tender_type")
OTHERS_COMPARED = 2
_POLL_S = 0.5
_PAGE = 500


async def note_waiting(estate: Estate, history: History, answers: Answers) -> None:
    """Notes how many receipts were handed out and are not at headquarters now."""
    home = {each.sale.transaction_id for each in await _transactions(estate)}
    answers.waiting_when_healed = sum(name not in home for name in history.receipts)


async def drain(estate: Estate, history: History, answers: Answers) -> None:
    """Waits until nothing waits, and says how long that took.

    What only lost disks held is not waited for.
    """
    began_s, losses = now_s(), Losses(history.losses)
    while now_s() - began_s < DRAIN_S:
        version = (await estate.parameters()).version
        statuses = [await _status(estate, name) for name in estate.registers]
        done = await _completeness(estate)
        took_s = now_s() - began_s
        waiting = sum(each.waiting_entries + each.waiting_headquarters for each in statuses)
        if answers.drained_s is None and is_home(done, losses) and not waiting:
            answers.drained_s = took_s
        shown = {(each.parameters_version, each.catalogue_sequence) for each in statuses}
        agree = len(shown) == 1 and statuses[0].parameters_version == version
        if answers.replicas_agree_s is None and agree:
            answers.replicas_agree_s = took_s
        if answers.drained_s is not None and answers.replicas_agree_s is not None:
            return
        await asyncio.sleep(_POLL_S)


async def read_all(estate: Estate, history: History, answers: Answers) -> None:
    """Asks everybody what there is."""
    answers.transactions += await _transactions(estate)
    answers.completeness = await _completeness(estate)
    numbers = [card.number for card in estate.plan.cards]
    for number in (*numbers, *history.fresh_cards, *history.memos):
        request = realtime_pb2.ListCardEntriesRequest(number=number)
        with contextlib.suppress(Refused):  # nobody got round to selling it
            ledger = await call(estate.cards.ListCardEntries, request, OFFICE, TIMEOUT_S)
            answers.ledgers[number] = ledger
    locks = realtime_pb2.ListLocksRequest()
    answers.locks += (await call(estate.cards.ListLocks, locks, OFFICE, TIMEOUT_S)).locks
    wanted = realtime_pb2.ListExceptionsRequest()
    exceptions = await call(estate.cards.ListExceptions, wanted, OFFICE, TIMEOUT_S)
    answers.exceptions += exceptions.exceptions
    if any(each.quarantined + each.conflicts for each in answers.completeness.lanes):
        answers.quarantined += await _quarantined(estate)
    if history.losses:
        for name in estate.registers:
            history.parents |= parents_on(estate.folder / name)
    for name in estate.registers:
        answers.statuses[name] = await _status(estate, name)
        answers.journals[name] = await _journal(estate, name)


async def compare(estate: Estate, history: History, answers: Answers) -> None:
    """Lets headquarters compare replicas with what it has, once all that is sent has come.

    Wholly where the file was damaged, else the tables that change in a day and some that are drawn,
    at every channel and at a register that is drawn.
    """
    rng = estate.rng("compare")
    drawn, others = rng.choice(estate.registers), rng.sample(OTHER_TABLES, OTHERS_COMPARED)
    places = [(store, "") for store in estate.stores]
    places += [
        (store, name)
        for name, store in estate.store_of.items()
        if name == drawn or name in history.spoiled
    ]
    for store, name in places:
        is_spoiled = (name or store) in history.spoiled
        tables = [] if is_spoiled else [*CHANGING_TABLES, *others]
        request = headquarters_pb2.CompareReplicaRequest(
            store_id=store, register_id=name, tables=tables
        )
        found: list[str] = []
        began_s = now_s()
        while now_s() - began_s < DRAIN_S:
            found = await _differences(estate, request)
            if not found:
                break
            if name:
                await _switch_back(estate, name)
            await asyncio.sleep(_POLL_S)  # damage that is only found now is mended by itself
        answers.differences += found


async def _switch_back(estate: Estate, name: str) -> None:
    """Puts a register on the line that a request switched off which was given up and came late."""
    if (await _status(estate, name)).mode == register_pb2.CONNECTION_MODE_OFFLINE_MANUAL:
        request = register_pb2.SwitchConnectionRequest(connect=True)
        await call(estate.register(name).SwitchConnection, request, OFFICE, TIMEOUT_S)


async def _differences(
    estate: Estate, request: headquarters_pb2.CompareReplicaRequest
) -> list[str]:
    answer = estate.headquarters.CompareReplica(
        request, timeout=TIMEOUT_S, metadata=OFFICE.metadata()
    )
    where = request.register_id or request.store_id
    try:
        return [
            f"{where}: {part.difference.table} {part.difference.key} is another"
            async for part in answer
            if part.HasField("difference")
        ]
    except grpc.aio.AioRpcError as error:
        return [f"{where} could not be compared: {error_of(error)}"]


async def read_carts(estate: Estate, history: History, answers: Answers) -> None:
    """Asks what is suspended, once recalls that were not answered are finished."""
    recalls = Counter(event.kind for event in history.events if event.method == "Recall")
    if recalls[Kind.SENT] > recalls[Kind.ANSWERED]:
        await asyncio.sleep(2 * FINISH_AFTER_S)
    for name in estate.registers:
        request = register_pb2.ListSuspendedRequest()
        listed = await call(estate.register(name).ListSuspended, request, OFFICE, TIMEOUT_S)
        answers.carts[name] = list(listed.sales)


async def _status(estate: Estate, name: str) -> register_pb2.RegisterStatus:
    request = register_pb2.GetStatusRequest()
    return (await call(estate.register(name).GetStatus, request, OFFICE, TIMEOUT_S)).status


async def _completeness(estate: Estate) -> headquarters_pb2.GetCompletenessResponse:
    request = headquarters_pb2.GetCompletenessRequest()
    return await call(estate.headquarters.GetCompleteness, request, OFFICE, TIMEOUT_S)


async def _transactions(estate: Estate) -> list[headquarters_pb2.ReceivedTransaction]:
    found: list[headquarters_pb2.ReceivedTransaction] = []
    token = ""
    while True:
        request = headquarters_pb2.HeadquartersServiceListTransactionsRequest(
            page_size=_PAGE, page_token=token
        )
        page = await call(estate.headquarters.ListTransactions, request, OFFICE, TIMEOUT_S)
        found += page.transactions
        token = page.next_page_token
        if not token:
            return found


async def _quarantined(estate: Estate) -> list[headquarters_pb2.GetQuarantinedResponse]:
    request = headquarters_pb2.ListQuarantineRequest(page_size=_PAGE)
    listed = await call(estate.headquarters.ListQuarantine, request, OFFICE, TIMEOUT_S)
    return [
        await call(
            estate.headquarters.GetQuarantined,
            headquarters_pb2.GetQuarantinedRequest(position=each.position, digest=each.digest),
            OFFICE,
            TIMEOUT_S,
        )
        for each in listed.entries
    ]


async def _journal(estate: Estate, name: str) -> list[register_pb2.JournalLine]:
    stub, token = estate.register(name), ""
    lines: list[register_pb2.JournalLine] = []
    while True:
        request = register_pb2.ListJournalRequest(page_size=_PAGE, page_token=token)
        page = await call(stub.ListJournal, request, OFFICE, TIMEOUT_S)
        lines += page.lines
        token = page.next_page_token
        if not token:
            return lines
