"""Every table has one owner."""

import re

from tests.support.repository import Module, our_modules

CREATE_TABLE = re.compile(
    r"CREATE\s+(?:TEMP(?:ORARY)?\s+)?(?:VIRTUAL\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r"[\"'`\[]?(?:\w+\.)?(\w+)",
    re.IGNORECASE,
)


def owners(sources: list[Module]) -> dict[str, set[str]]:
    """The modules that make each table."""
    found: dict[str, set[str]] = {}
    for module in sources:
        for name in CREATE_TABLE.findall(re.sub(r'"\s*\n\s*f?"', "", module.text)):
            found.setdefault(name.lower(), set()).add(module.name)
    return found


def test_no_table_is_made_twice() -> None:
    assert {name: by for name, by in owners(our_modules()).items() if len(by) > 1} == {}


def test_the_search_finds_tables() -> None:
    assert owners(our_modules())["migration"] == {"services/stillopen/storage/schema.py"}


def test_it_finds_them_however_they_are_written() -> None:
    [any_module] = [m for m in our_modules() if m.name == "services/stillopen/core/errors.py"]
    for text in (
        'x = "CREATE TABLE lock (a)"',
        "create table if not exists lock(a)",
        'x = ("CREATE TABLE"\n    " lock (a)")',
        "CREATE TEMP TABLE lock (a)",
        'CREATE TABLE "lock" (a)',
        "CREATE TABLE main.lock (a)",
    ):
        assert set(owners([Module(any_module.path, text, any_module.tree)])) == {"lock"}
    name = "CREATE TABLE {name} (a)"
    assert owners([Module(any_module.path, name, any_module.tree)]) == {}
