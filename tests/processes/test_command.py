"""The `stillopen` command as a first-time user meets it: answers, refusals, exit statuses."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.estate_messages import ask, entry_of, sale_of
from tests.support.nursery import COMMAND, spawn
from tests.support.shop import ForkedEstate, open_shop

from stillopen.cli.estate import CHANNEL, HEADQUARTERS, Estate, import_master_data
from stillopen.cli.sample import sample_cards, sample_products
from stillopen.cli.sessions import SignedIn, keep_session
from stillopen.core.sale import ReturnOf, Sale
from stillopen.rpc.channel import open_channel
from stillopen.rpc.wire import entry_to
from stillopen.v1 import channel_data_pb2, channel_data_pb2_grpc

TIMEOUT_S = 90.0
FOR_EVER_S = 1e11
EUR_55 = {"currency_code": "EUR", "minor_units": "5500"}


async def stillopen(*arguments: str) -> tuple[int, str, str]:
    """Runs the command and returns its exit status, output and errors."""
    process = await spawn(
        COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    assert "Traceback" not in err.decode()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign-ins are kept with the test."""
    monkeypatch.setenv("STILLOPEN_HOME", str(tmp_path / "home"))


def at(estate: Estate) -> str:
    """Where headquarters is; its administrator is signed in."""
    address = estate.address(HEADQUARTERS)
    person = estate.person
    keep_session(address, SignedIn(person.name, person.secret, FOR_EVER_S))
    return f"--headquarters={address}"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serve"],
        *(["serve", place] for place in ("headquarters", "realtime", "channel", "register", "all")),
        *(["import", what] for what in ("products", "barcodes", "prices", "tax-groups")),
        *(["import", what] for what in ("customers", "tender-types", "staff", "cards")),
        *(["export", what] for what in ("products", "barcodes", "prices", "tax-groups")),
        *(["export", what] for what in ("customers", "tender-types", "staff")),
        ["remove"],
        ["status"],
        ["journal", "list"],
        *(["journal", what] for what in ("verify", "export", "import")),
        *(["package", what] for what in ("list", "show", "open", "verify", "export", "import")),
        ["card", "balance"],
        *(["lane", what] for what in ("list", "show", "acknowledge", "declare-lost")),
        ["lane", "end-recovery"],
        ["returns", "list"],
        ["parameters", "show"],
        ["parameters", "set"],
        ["demo"],
    ],
)
async def test_every_command_has_help_and_those_that_do_something_an_example(
    command: list[str],
) -> None:
    code, out, _ = await stillopen(*command, "--help")
    assert code == 0
    if len(command) > 1 or command in (["status"], ["demo"], ["remove"]):
        assert f"stillopen {' '.join(command)}" in " ".join(out.replace("│", " ").split())


async def test_imports_say_what_they_took_and_what_they_refused(tmp_path: Path) -> None:
    async with open_shop(tmp_path / "shop") as estate:
        good = tmp_path / "products.csv"
        good.write_text("Name,Product ID,Price,Barcodes\nMug,M1,2.50,123 456\nCup,M2,3,\n")
        code, out, _ = await stillopen("import", "products", str(good), at(estate), "--json")
        assert (code, json.loads(out)["accepted"]) == (0, "2")
        cards = tmp_path / "cards.csv"
        cards.write_text("number,balance\n7777 0000 0000 0001,12.00\n")
        for _ in range(2):  # the same file again changes nothing
            code, _, err = await stillopen("import", "cards", str(cards), at(estate))
            assert code == 0, err
        cards.write_text("number,balance\n7777000000000001,99.00\n")
        code, out, _ = await stillopen("import", "cards", str(cards), at(estate), "--json")
        assert code == 1
        assert json.loads(out)["refusals"][0]["reason"] == "ALREADY_EXISTS"
        code, out, _ = await stillopen("card", "balance", "7777000000000001", at(estate))
        assert (code, out) == (0, "card ...0001: 12.00 EUR, free\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,price\nMug,1\n", "no column product_id"),
        ("product_id,name,price\n", "has no rows"),
        ('product_id,name,price\nM1,"Mug,1\n', "line 2"),
        ("product_id,product_id,name,price\nM1,M1,Mug,1\n", "2 times"),
    ],
)
async def test_a_file_that_is_wrong_is_refused_and_nothing_is_imported(
    tmp_path: Path, text: str, said: str
) -> None:
    async with ForkedEstate(tmp_path / "estate", "EUR") as estate:
        await estate.start_headquarters()
        path = tmp_path / "products.csv"
        path.write_text(text)
        code, out, err = await stillopen("import", "products", str(path), at(estate))
        assert (code, out) == (2, "")
        assert said in err


async def test_what_is_done_to_a_card_by_hand_is_told_to_programs_too(tmp_path: Path) -> None:
    async with ForkedEstate(tmp_path, "EUR") as estate:
        await estate.start_headquarters()
        await import_master_data(estate, sample_products("EUR"), sample_cards("EUR"))
        card, why = "6001000000000001", "--reason=a gesture"
        for words, expected in (
            (("adjust", card, "5.00", why), {"balance": EUR_55}),
            (("block", card, why), {"blocked": True}),
            (("block", card, why, "--lift"), {"blocked": False}),
        ):
            code, out, err = await stillopen("card", *words, at(estate), "--json")
            assert (code, json.loads(out)) == (0, expected), err


async def test_parameters_are_shown_changed_and_refused_with_a_reason(tmp_path: Path) -> None:
    async with ForkedEstate(tmp_path, "EUR") as estate:
        await estate.start_headquarters()
        code, out, _ = await stillopen("parameters", "set", "--gift-card-offline", at(estate))
        assert code == 0
        assert "yes" in out
        code, _, err = await stillopen("parameters", "set", "--conclude-within-h=72", at(estate))
        assert code == 2
        assert "PARAMETERS_INVALID" in err
        _, out, _ = await stillopen("parameters", "show", at(estate), "--json")
        assert json.loads(out)["gift_card"]["conclude_within"] == "28800s"


async def test_the_offline_profile_is_shown_changed_and_refused_with_a_reason(
    tmp_path: Path,
) -> None:
    async with ForkedEstate(tmp_path, "EUR") as estate:
        await estate.start_headquarters()
        code, out, _ = await stillopen(
            "profile", "set", "--advanced", "--minimum-dwell-s=45", at(estate)
        )
        assert code == 0
        assert "45 s" in out
        code, _, err = await stillopen("profile", "set", "--slow-after-s=9", at(estate))
        assert code == 2
        assert "offline_switch_api_performance_threshold_s" in err
        _, out, _ = await stillopen("profile", "show", at(estate), "--json")
        profile = json.loads(out)
        assert profile["enable_advanced_offline_switching"] is True
        assert profile["minimum_dwell_s"] == 45
        assert profile["timeout_s"] == 3


async def test_nobody_at_the_address_is_said_in_one_line(tmp_path: Path) -> None:
    code, out, err = await stillopen("status", "--register=127.0.0.1:1")
    assert (code, out) == (3, "")
    assert err.startswith("error UNREACHABLE")
    code, _, err = await stillopen("import", "cards", str(tmp_path / "none.csv"))
    assert code in {2, 3}
    code, _, err = await stillopen("status", "--register=nowhere")
    assert code == 2
    assert "not host:port" in err


async def test_plaintext_beyond_this_machine_needs_the_flag(tmp_path: Path) -> None:
    code, _, err = await stillopen(
        "serve", "headquarters", f"--data={tmp_path}", "--listen=0.0.0.0:0"
    )
    assert code == 2
    assert "--plaintext-beyond-loopback" in err


async def test_a_register_shows_its_status_and_journal(tmp_path: Path) -> None:
    async with open_shop(tmp_path, "R1") as estate:
        address = f"--register={estate.address('R1')}"
        code, out, _ = await stillopen("status", address, "--json")
        assert (code, json.loads(out)["offline_ready"]) == (0, True)
        code, out, _ = await stillopen("status", address)
        assert (code, "ONLINE" in out) == (0, True)
        code, out, _ = await stillopen("journal", "list", address, "--json")
        assert (code, json.loads(out)["lines"]) == (0, [])
        code, out, _ = await stillopen("journal", "verify", str(tmp_path / "R1"), "--json")
        assert (code, json.loads(out)) == (0, {"entries": 0, "faults": []})


async def test_more_returned_than_sold_is_listed_for_people(tmp_path: Path) -> None:
    bought = sale_of(1)
    [line] = bought.lines
    back = ReturnOf("torn", bought.transaction_id, line.line_id)
    sales = [bought, *(gives_back(sale_of(number), back) for number in (2, 3))]
    async with open_shop(tmp_path) as estate, open_channel(estate.address(CHANNEL)) as channel:
        register = await estate.install_register("R1")
        stub = channel_data_pb2_grpc.ChannelDataServiceStub(channel)
        for number, sale in enumerate(sales, 1):
            entry = entry_to(entry_of(sale, number))
            request = channel_data_pb2.SaveTransactionRequest(entry=entry)
            await ask(stub.SaveTransaction, request, register)
        async with estate.office() as headquarters:
            await headquarters.until_complete(TIMEOUT_S)
        code, out, _ = await stillopen("returns", "list", at(estate))
        assert code == 0
        assert all(text in out for text in ("no 1", *(sale.transaction_id for sale in sales[1:])))
        code, out, _ = await stillopen("returns", "list", at(estate), "--json")
        [over] = json.loads(out)
        assert (over["sold_milli"], over["line"]["returned_milli"]) == ("1000", "2000")


def gives_back(sale: Sale, back: ReturnOf) -> Sale:
    """The sale as one that gives something back."""
    [line] = sale.lines
    returned = replace(line, quantity_milli=-line.quantity_milli, return_of=back)
    tenders = tuple(replace(each, amount=-each.amount) for each in sale.tenders)
    return replace(sale, lines=(returned,), tenders=tenders)


async def test_the_demo_ends_with_books_that_agree() -> None:
    code, out, err = await stillopen("demo")
    assert code == 0, err
    assert "concluded offline" in out
    assert "exceptions" in out


async def test_a_replay_agrees_to_the_penny_and_prints_one_object() -> None:
    code, out, err = await stillopen("demo", "--replay", "--cuts=2", "--registers=2", "--json")
    found = json.loads(out)
    assert code == 0, err
    assert found["missing"] == found["duplicates"] == found["exceptions"] == 0
    assert found["file_total_minor"] == found["headquarters_total_minor"]
    assert found["invoices"] == found["sold"] + found["returned"] + found["not_sales"]
    assert found["cuts"] == found["kills"] + found["stops"] == 2
