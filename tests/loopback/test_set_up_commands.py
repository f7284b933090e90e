"""The commands for groups, stores, registers, profiles, versions and the audit."""

from pathlib import Path

import pytest
from tests.support.desk import Desk
from tests.support.estate import Estate


@pytest.fixture
def desk(estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A command line at headquarters."""
    return Desk(estate, tmp_path / "home", monkeypatch)


async def test_a_store_and_its_registers_are_set_up_shown_and_removed(desk: Desk) -> None:
    for arguments in (
        ("group", "set", "north", "--name", "The north"),
        ("profile", "set", "Night", "--timeout-s", "2", "--pause", "--description", "late"),
        ("store", "set", "S7", "--group", "north", "--profile", "Night"),
        ("store", "set", "S7", "--name", "Harbour"),
        ("register", "set", "R71", "--store", "S7"),
    ):
        code, said = await desk.says(*arguments)
        assert code == 0, said
    store = await desk.told("store", "show", "S7")
    assert store == {
        "store_id": "S7",
        "name": "Harbour",
        "group_id": "north",
        "offline_profile": "Night",
    }
    register = await desk.told("register", "show", "R71")
    assert (register["support_offline"], register["state"]) == (True, "REGISTER_STATE_NEW")
    _, said = await desk.says("profile", "list")
    assert all(word in said for word in ("Night", "late", "S7", "registers"))
    code, said = await desk.says("store", "remove", "S7")
    assert (code, "IN_USE" in said) == (1, True)
    for kind, name in (("register", "R71"), ("store", "S7"), ("group", "north")):
        code, said = await desk.says(kind, "remove", name)
        assert (code, said.strip()) == (0, f"{kind} {name} is removed")


async def test_a_code_is_shown_once_and_a_register_is_retired_with_a_reason(desk: Desk) -> None:
    answer = await desk.told("register", "activation-code", "R9")
    assert answer["expires_in"] == "86400s"
    code, said = await desk.says("register", "retire", "R9", "--reason", "sold")
    assert (code, said.strip()) == (0, "register R9 is retired")
    code, said = await desk.says("register", "activation-code", "R9")
    assert (code, "RETIRED" in said) == (1, True)
    _, said = await desk.says("audit", "list", "--subject", "R9")
    assert all(word in said for word in ("retire register", "boss", "sold"))
    assert str(answer["activation_code"]) not in said


async def test_parameters_have_a_history(desk: Desk) -> None:
    code, said = await desk.says("parameters", "set", "--gift-card-offline")
    assert code == 0, said
    assert "changed by boss" in said
    _, said = await desk.says("parameters", "history", "--most", "1")
    assert "gift_card.allow_concluding_offline True" in said
    code, said = await desk.says("parameters", "reload")
    assert (code, "version" in said) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("register", "set", "R77"), 2, "name its store"),
        (("register", "set", "R77", "--store", "S9"), 1, "no store S9"),
        (("register", "show", "R77"), 1, "no register R77"),
        (("store", "show", "S9"), 1, "no store S9"),
        (("profile", "show", "None"), 1, "no offline profile None"),
        (("profile", "set", "Night", "--timeout-s", "-1"), 2, "timeout_s"),
        (("profile", "remove", "Default"), 1, "always there"),
        (("group", "remove", "south"), 1, "no channel group south"),
        (("register", "retire", "R77", "--reason", "x"), 1, "no register R77"),
        (("store", "activation-code", "S9"), 1, "no store S9"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    desk: Desk, arguments: tuple[str, ...], status: int, word: str
) -> None:
    code, said = await desk.says(*arguments)
    assert code == status, said
    assert word in said
    assert "Traceback" not in said
