"""Stores without a line, as far as a journal file sees them: folders, and a headquarters' inbox."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.lanes import Watch
from tests.support.notes import Opener

from stillopen.channel.tables import SCHEMA as CHANNEL_SCHEMA
from stillopen.cli.journal_files import Part
from stillopen.core.journal import Entry, Head
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.journal_files import import_journal
from stillopen.headquarters.tables import SCHEMA as HEADQUARTERS_SCHEMA
from stillopen.replication.inbox import Inbox, open_inbox
from stillopen.rpc.identity import CallerKind
from stillopen.storage.identity_file import Identity, write_identity
from stillopen.v1 import headquarters_pb2


async def a_channel(open_engine: Opener, folder: Path, store_id: str = "S1") -> Inbox:
    """A channel's folder, and the inbox of its running process."""
    write_identity(folder, Identity(CallerKind.CHANNEL, store_id, store_id, "nowhere:1", "s"))
    engine = await open_engine(folder / "channel.db", CHANNEL_SCHEMA)
    return await open_inbox(engine, Watch(), last=False)


async def heard(inbox: Inbox, *entries: Entry) -> None:
    """A register tells its lane and sends these."""
    last = entries[-1]
    await inbox.claim([Head(last.lane, 1, last.sequence, last.digest)])
    await inbox.receive(list(entries), [])


class _Whole:
    """A call whose caller waits for the answer."""

    async def send_initial_metadata(self, _: object) -> None:
        """The caller is there."""


@dataclass(slots=True)
class Home:
    """Headquarters, as far as it takes journals; it knows store S1."""

    inbox: Inbox
    watch: Watch = field(default_factory=Watch)

    async def takes(self, parts: Iterable[Part]) -> headquarters_pb2.ImportJournalResponse:
        """The answer to a file."""

        async def stream() -> AsyncIterator[Part]:
            for part in parts:
                yield part

        doer = Doer("alice", self.watch.wall_s())
        return await import_journal(
            self.inbox,
            stream(),
            doer,
            _Whole(),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        )

    async def picture(self) -> list[tuple[object, ...]]:
        """Everything that it has of journals."""
        return await self.inbox.engine.read(
            lambda session: [
                *session.all(
                    "SELECT register_id, epoch, sequence, digest, payload, state FROM entry"
                    " ORDER BY register_id, epoch, sequence"
                ),
                *session.all("SELECT * FROM entry_conflict"),
                *session.all("SELECT * FROM lane ORDER BY register_id, epoch"),
            ]
        )

    async def audit(self) -> list[tuple[object, ...]]:
        """What was noted of imports."""
        return await self.inbox.engine.read(
            lambda session: session.all("SELECT person, action, subject, detail FROM audit")
        )


async def a_home(open_engine: Opener, folder: Path) -> Home:
    """A headquarters that knows store S1 and nothing else."""
    watch = Watch()
    engine = await open_engine(folder / "headquarters.db", HEADQUARTERS_SCHEMA)
    await engine.write(
        lambda session: session.run(
            "INSERT INTO store (store_id, name, group_id, offline_profile)"
            " VALUES ('S1', 'S1', 'Default', 'Default')"
        )
    )
    return Home(await open_inbox(engine, watch, last=True), watch)
