"""complete() of a register that is offline, against sqlite3 writing the same rows durably."""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure, median, percentile
from tests.support.packages import make_snapshot

from stillopen.core.parameters import Parameters
from stillopen.core.permissions import CASHIER
from stillopen.register import Register, RegisterSettings, open_register
from stillopen.register.tables import SCHEMA
from stillopen.replication.tables import PARAMETERS, PRODUCT, ROLE, STAFF_MEMBER, Table
from stillopen.rpc.wire_parameters import parameters_to
from stillopen.storage.engine import Value
from stillopen.storage.files import open_writer

ROUNDS = 5
SALES = 200
LINES = 3
NOBODY = "127.0.0.1:1"


def master_data() -> dict[Table, list[tuple[Value, ...]]]:
    """A few products and a person, as rows."""
    return {
        PRODUCT: [(f"P{n}", f"P{n}", f"Product {n}", "EUR", 100 + n, "") for n in range(LINES)],
        STAFF_MEMBER: [("anna", "Anna", "none", CASHIER.role_id, 0)],
        ROLE: [(CASHIER.role_id, CASHIER.name, " ".join(sorted(CASHIER.permissions)))],
        PARAMETERS: [("Posting", parameters_to(Parameters(1, "EUR")).SerializeToString())],
    }


async def fits(password: str, password_hash: str) -> bool:
    """Signing in is not what is measured."""
    return bool(password and password_hash)


async def completion(register: Register) -> float:
    """Seconds that complete() took to its durable answer."""
    sale = await register.begin()
    for n in range(LINES):
        sale = await register.add_line(sale.transaction_id, sale.version, f"P{n}")
    sale = await register.tenders.add_cash(sale.transaction_id, sale.version, sale.due)
    before = time.perf_counter()
    await register.complete(sale.transaction_id, sale.version)
    return time.perf_counter() - before


def rows_alone(folder: Path) -> list[float]:
    """Seconds the same rows take: entry, lane, sale, receipt count; a flushed commit each."""
    connection = open_writer(folder / "rows.db", SCHEMA, durable=True)
    [(synchronous,)] = connection.execute("PRAGMA synchronous").fetchall()
    assert synchronous == 2
    payload, digest = os.urandom(600), os.urandom(32)
    connection.execute("INSERT INTO journal_lane VALUES (NULL,'e',0,x'',0,0,0,0,0)")
    connection.execute("INSERT INTO setting VALUES ('receipts','0')")
    taken: list[float] = []
    for n in range(1, SALES + 1):
        name = f"{n:032x}"
        connection.execute("INSERT INTO sale VALUES (?,5,'OPEN',?,?)", (name, payload, digest))
        before = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE setting SET value = ? WHERE name = 'receipts'", (str(n),))
        connection.execute(
            "INSERT INTO journal_entry VALUES ('R','e',?,?,?,?,NULL,'COMPLETED',?,?,'EUR',303,1.0)",
            (n, digest, digest, payload, name, f"R-{n}"),
        )
        connection.execute("UPDATE journal_lane SET head = ?, head_digest = ?", (n, digest))
        connection.execute(
            "UPDATE sale SET version = 6, state = 'COMPLETED', data = ?, last_request = ?"
            " WHERE transaction_id = ?",
            (payload, digest, name),
        )
        connection.execute("COMMIT")
        taken.append(time.perf_counter() - before)
    connection.close()
    return taken


async def measure() -> list[Figure]:
    """Rounds of both in turn; medians of the rounds."""
    ours: list[list[float]] = []
    theirs: list[list[float]] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
            folder = Path(name)
            settings = RegisterSettings("R1", folder / "register", NOBODY)
            async with await open_register(settings, check_password=fits) as register:
                shelf = register.replica.copy.shelf
                await register.replica.apply(make_snapshot(shelf, master_data()))
                await register.sign_in("anna", "x")
                ours.append([await completion(register) for _ in range(SALES)])
            theirs.append(await asyncio.to_thread(rows_alone, folder))
    return [
        _figure("p50", [median(each) for each in ours], [median(each) for each in theirs]),
        _figure("p99", [_p99(each) for each in ours], [_p99(each) for each in theirs]),
    ]


def _p99(taken: list[float]) -> float:
    return percentile(taken, 0.99)


def _figure(label: str, ours: list[float], theirs: list[float]) -> Figure:
    return Figure(
        f"offline-sale {label}",
        median(ours) * 1000,
        "ms",
        median(theirs) * 1000,
        aim=2.0,
        at_least=False,
    )
