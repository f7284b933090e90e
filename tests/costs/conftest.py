from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.support.costs import open_counted
from tests.support.packages import goods, make_snapshot

from stillopen.core.parameters import Parameters
from stillopen.core.permissions import CASHIER
from stillopen.register import Register, RegisterSettings, open_register
from stillopen.replication.tables import PARAMETERS, ROLE, STAFF_MEMBER
from stillopen.rpc.wire_parameters import parameters_to
from stillopen.storage.off_loop import inline

NOBODY = "127.0.0.1:1"


async def fits(password: str, password_hash: str) -> bool:
    return bool(password and password_hash)


@pytest.fixture
async def register(tmp_path: Path) -> AsyncGenerator[Register]:
    """One that is offline, with three products and somebody signed in; its costs are counted."""
    settings = RegisterSettings("R1", tmp_path / "register", NOBODY)
    rows = {
        **goods("P0", "P1", "P2"),
        STAFF_MEMBER: [("anna", "Anna", "none", CASHIER.role_id, 0)],
        ROLE: [(CASHIER.role_id, CASHIER.name, " ".join(sorted(CASHIER.permissions)))],
        PARAMETERS: [("Posting", parameters_to(Parameters(1, "EUR")).SerializeToString())],
    }
    opening = open_register(
        settings, open_engine=open_counted, off_loop=inline, check_password=fits
    )
    async with await opening as register:
        await register.replica.apply(make_snapshot(register.replica.copy.shelf, rows))
        await register.sign_in("anna", "x")
        yield register
