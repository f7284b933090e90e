"""An estate whose store has no line to headquarters: what goes between them goes by file."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_parts import STORE, Running
from tests.support.estate_till import Till

from stillopen.cli.journal_bringing import bring_journal
from stillopen.cli.journal_files import Answer, answer_path
from stillopen.cli.journal_places import export_journal, take_answer
from stillopen.cli.package_ways import export_package, import_package
from stillopen.cli.places import ChannelSettings, start_channel
from stillopen.storage.identity_file import Identity, write_identity

NOWHERE = "127.0.0.1:9"
"""Where nobody listens."""


class NoLine(Estate):
    """The channel was installed and never reached headquarters."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.upper = NOWHERE
        self.stick = folder / "stick"
        self.stick.mkdir()
        self.channel = Running(
            lambda address: start_channel(
                ChannelSettings(
                    folder / "channel", address, self.upper, STORE, callers.channel(STORE).secret
                ),
                self.machine,
            )
        )
        for place, caller in (("channel", callers.channel(STORE)), ("R1", callers.register("R1"))):
            identity = Identity(caller.kind, caller.name, STORE, NOWHERE, caller.secret)
            write_identity(folder / place, identity)
        self._files = 0

    async def surely(self, act: Callable[[], Awaitable[None]]) -> None:
        """The first part fills headquarters; before the next one the store gets its package."""
        await act()
        if not self.channel.running:
            await self.by_hand()

    async def until_channel_shows(self) -> int:
        """The store shows what was carried there."""
        return self.shown

    async def by_hand(self) -> Path:
        """Carries a package to the store, which does not run."""
        file = await export_package(self.people, STORE, self.stick)
        taken = await import_package(file, self.folder / "channel", self.machine)
        self.shown = taken.looked.package.cursor.sequence
        return file

    async def till(self, register_id: str = "R1", *, ready: bool = True) -> Till:
        """A till that shows what the store does; its lane is not known at headquarters."""
        till = await super().till(register_id, ready=False)
        if ready:
            await till.sign_in()
            await till.until(
                lambda s: s.offline_ready and s.link_up and s.catalogue_sequence >= self.shown
            )
        return till

    async def exported(self, place: str = "channel") -> Path:
        """A file of what headquarters lacks of a place's journals."""
        self._files += 1
        file = self.stick / f"{place}-{self._files}.journal"
        await export_journal(self.folder / place, file, self.clock)
        return file

    async def brought(self, file: Path) -> Answer:
        """Brings a file to headquarters."""
        return (await bring_journal(file, self.people))[1]

    async def answered(self, file: Path) -> None:
        """Ends the channel, gives it headquarters' word, and starts it again."""
        await self.channel.stop()
        await take_answer(answer_path(file), self.folder / "channel", self.clock)
        await self.channel.start()

    async def restart_channel(self) -> None:
        """The channel, started again."""
        await self.channel.stop()
        await self.channel.start()
