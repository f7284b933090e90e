"""Group commit on real connections."""

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.notes import STEP_1, texts_in

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.storage.engine import Session, Work
from stillopen.storage.group import SyncFailedError, run_group

PAGE = 4096


Values = Sequence[int | float | str | bytes | None]


class WatchedConnection(sqlite3.Connection):
    """Notes what ends and begins transactions; commits may be told to fail."""

    events: list[str]
    commit_errors: list[sqlite3.Error]

    def execute(self, sql: str, parameters: Values = (), /) -> sqlite3.Cursor:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Runs the statement and notes that it returned."""
        if sql == "COMMIT" and self.commit_errors:
            self.events.append("COMMIT failed")
            raise self.commit_errors.pop(0)
        cursor = super().execute(sql, parameters)
        self.events.append(sql)
        return cursor


@contextmanager
def connected(path: Path) -> Generator[WatchedConnection]:
    """A connection set up as the engines do, with an empty table of notes."""
    connection = sqlite3.connect(  # noqa: TID251 - a connection that is watched
        path, isolation_level=None, factory=WatchedConnection
    )
    connection.events = []
    connection.commit_errors = []
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(STEP_1[0])
        connection.events.clear()
        yield connection
    finally:
        connection.close()


def note(text: str, seen: list[str] | None = None) -> Work[str]:
    """Writes a note; `seen` counts how often it ran."""

    def work(session: Session) -> str:
        if seen is not None:
            seen.append(text)
        session.run("INSERT INTO note (text) VALUES (?)", text)
        return f"wrote {text[:6]}"

    return work


def big(letter: str, pages: int, seen: list[str] | None = None) -> Work[str]:
    """Writes a note of so many pages."""
    return note(letter * (pages * PAGE), seen)


def failed(code: int) -> sqlite3.Error:
    """What sqlite3 raises with that code."""
    error = sqlite3.OperationalError("as told")
    error.sqlite_errorcode = code
    return error


def reasons(results: list[tuple[object, BaseException | None]]) -> list[str]:
    """What each member was told, in a word."""
    words: list[str] = []
    for value, error in results:
        match error:
            case None:
                words.append(str(value))
            case Refused() | Misuse():
                words.append(str(error.reason))
            case _:
                words.append(type(error).__name__)
    return words


def test_members_share_one_commit(tmp_path: Path) -> None:
    with connected(tmp_path / "notes.db") as connection:
        results = run_group(connection, [note("one"), note("two"), note("three")])
        assert connection.events[0] == "BEGIN IMMEDIATE"
        assert connection.events[-1] == "COMMIT"
        assert connection.events.count("COMMIT") == 1
    assert reasons(results) == ["wrote one", "wrote two", "wrote three"]
    assert texts_in(tmp_path / "notes.db") == ["one", "two", "three"]


def test_a_failing_member_is_undone_and_the_others_commit(tmp_path: Path) -> None:
    def half(session: Session) -> None:
        note("half")(session)
        raise Refused(Reason.NOT_PAID, "no")

    with connected(tmp_path / "notes.db") as connection:
        results = run_group(connection, [note("one"), half, note("one"), note("two")])
        assert connection.events.count("COMMIT") == 1
    assert reasons(results) == ["wrote one", "NOT_PAID", "IntegrityError", "wrote two"]
    assert texts_in(tmp_path / "notes.db") == ["one", "two"]


@pytest.mark.parametrize("members", [1, 3])
def test_nobody_is_answered_before_the_commit_returned(tmp_path: Path, members: int) -> None:
    works = [note(f"note {n}") for n in range(members)]
    commits = members if members == 1 else 1 + members  # together, then each alone
    with connected(tmp_path / "notes.db") as connection:
        connection.commit_errors = [failed(sqlite3.SQLITE_IOERR)] * commits
        results = run_group(connection, works)
        assert reasons(results) == ["OperationalError"] * members
        assert not connection.in_transaction
        assert texts_in(tmp_path / "notes.db") == []
        assert reasons(run_group(connection, works)) == [f"wrote note {n}" for n in range(members)]
        assert connection.events[-1] == "COMMIT"


def test_after_a_failed_commit_every_member_runs_again_alone(tmp_path: Path) -> None:
    seen: list[str] = []
    with connected(tmp_path / "notes.db") as connection:
        connection.commit_errors = [failed(sqlite3.SQLITE_BUSY)]
        results = run_group(connection, [note("a", seen), note("b", seen), note("c", seen)])
        assert connection.events.count("COMMIT") == 3
    assert reasons(results) == ["wrote a", "wrote b", "wrote c"]
    assert seen == ["a", "b", "c", "a", "b", "c"]
    assert texts_in(tmp_path / "notes.db") == ["a", "b", "c"]


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC])
def test_a_failed_flush_ends_the_process_instead_of_answering(
    tmp_path: Path, code: int, members: int
) -> None:
    with connected(tmp_path / "notes.db") as connection:
        connection.commit_errors = [failed(code)]
        with pytest.raises(SyncFailedError):
            run_group(connection, [note(f"note {n}") for n in range(members)])
        assert "COMMIT" not in connection.events


def pages_left(connection: sqlite3.Connection, count: int) -> None:
    """Lets the database grow by so many pages and no more."""
    [used] = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={used + count}")


@pytest.mark.parametrize(
    "order",
    [("a", "HUGE", "b"), ("HUGE", "a", "b"), ("a", "b", "HUGE"), ("HUGE", "HUGE2", "a")],
    ids=" ".join,
)
def test_on_a_full_disk_those_that_fit_succeed(tmp_path: Path, order: tuple[str, ...]) -> None:
    seen: list[str] = []
    with connected(tmp_path / "notes.db") as connection:
        pages_left(connection, 20)
        works = [big(word, 50, seen) if "HUGE" in word else note(word, seen) for word in order]
        results = run_group(connection, works)
        assert not connection.in_transaction
    fitting = [word for word in order if "HUGE" not in word]
    assert reasons(results) == [
        "DISK_FULL" if "HUGE" in word else f"wrote {word}" for word in order
    ]
    assert texts_in(tmp_path / "notes.db") == fitting
    assert seen[-len(order) :] == [w * 50 * PAGE if "HUGE" in w else w for w in order]


def test_members_that_only_together_are_too_much_are_tried_one_by_one(tmp_path: Path) -> None:
    with connected(tmp_path / "notes.db") as connection:
        pages_left(connection, 30)
        results = run_group(connection, [big(letter, 5) for letter in "abcdefgh"])
        words = reasons(results)
        assert words.count("DISK_FULL") == len(words) - len(texts_in(tmp_path / "notes.db"))
        assert 0 < words.count("DISK_FULL") < len(words)
        pages_left(connection, 200)
        assert reasons(run_group(connection, [note("after")])) == ["wrote after"]


def test_one_statement_of_many_rows_that_fills_the_disk_leaves_no_rows(tmp_path: Path) -> None:
    def many(session: Session) -> None:
        session.run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
            " INSERT INTO note (text) SELECT i || printf('%.*c', 1000, 'x') FROM n"
        )

    with connected(tmp_path / "notes.db") as connection:
        pages_left(connection, 20)
        results = run_group(connection, [note("a"), many, note("b")])
    assert reasons(results) == ["wrote a", "DISK_FULL", "wrote b"]
    assert texts_in(tmp_path / "notes.db") == ["a", "b"]


def test_a_member_that_hides_the_full_disk_takes_nobody_with_it(tmp_path: Path) -> None:
    def hiding(session: Session) -> str:
        try:
            big("HUGE", 50)(session)
        except sqlite3.OperationalError:
            return "all is well"
        return "it fitted"

    def attempt(connection: WatchedConnection) -> Callable[[], list[str]]:
        return lambda: reasons(run_group(connection, [note("a"), hiding, note("b")]))

    with connected(tmp_path / "notes.db") as connection:
        pages_left(connection, 20)
        try:
            words = attempt(connection)()
        except sqlite3.OperationalError:
            words = []
        assert not connection.in_transaction
    answered = [word.removeprefix("wrote ") for word in words if word.startswith("wrote ")]
    assert texts_in(tmp_path / "notes.db") == answered
