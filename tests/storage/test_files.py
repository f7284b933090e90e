import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.repository import ROOT

from stillopen.core.errors import Misuse, Reason
from stillopen.storage.files import Hold, open_writer, set_aside
from stillopen.storage.schema import Schema

HOLDER = """
import sys
from pathlib import Path
from stillopen.storage.files import Hold
hold = Hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_holder_in_the_same_process_is_refused(tmp_path: Path) -> None:
    hold = Hold(tmp_path / "journal.db")
    with pytest.raises(Misuse) as refusal:
        Hold(tmp_path / "journal.db")
    assert refusal.value.reason is Reason.REGISTER_IN_USE
    hold.release()
    Hold(tmp_path / "journal.db").release()


def test_a_holder_in_another_process_keeps_us_out_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(Misuse) as refusal:
            Hold(path)
        assert refusal.value.reason is Reason.REGISTER_IN_USE
        child.kill()
    Hold(path).release()


def test_two_databases_have_two_holders(tmp_path: Path) -> None:
    one, other = Hold(tmp_path / "a.db"), Hold(tmp_path / "b.db")
    one.release()
    other.release()


def test_a_hold_makes_the_folder_and_no_database(tmp_path: Path) -> None:
    Hold(tmp_path / "new" / "journal.db").release()
    assert not (tmp_path / "new" / "journal.db").exists()


@pytest.mark.parametrize("companions", [[], ["-wal"], ["-wal", "-shm"]])
def test_what_is_set_aside_keeps_every_byte(tmp_path: Path, companions: list[str]) -> None:
    path = tmp_path / "journal.db"
    contents = {suffix: f"bytes of {suffix!r}".encode() for suffix in ("", *companions)}
    for suffix, content in contents.items():
        path.with_name(path.name + suffix).write_bytes(content)
    target = set_aside(path)
    assert target.name == "journal.db.damaged-1"
    found = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert found == {target.name + suffix: content for suffix, content in contents.items()}


def test_what_was_set_aside_before_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for number in range(1, 4):
        path.write_bytes(f"damage {number}".encode())
        assert set_aside(path).read_bytes() == f"damage {number}".encode()
    assert sorted(p.read_bytes() for p in tmp_path.iterdir()) == [
        b"damage 1",
        b"damage 2",
        b"damage 3",
    ]


def test_a_new_database_is_read_by_its_owner_alone(tmp_path: Path) -> None:
    open_writer(tmp_path / "new.db", Schema("new", ()), durable=True).close()
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600
