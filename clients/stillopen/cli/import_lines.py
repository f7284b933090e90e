"""Which line of a file each row of an import came from, remembered where the two part."""

from array import array
from bisect import bisect_right

from stillopen.core.errors import StillopenError
from stillopen.rpc.importing import Refusal, Refusals
from stillopen.v1 import types_pb2


class Lines:
    """Rows are numbered as they are sent; a line is only kept where the distance changes."""

    def __init__(self) -> None:
        self._rows = array("Q")
        self._lines = array("Q")
        self.sent = 0
        self.refusals = Refusals()
        """What was wrong before it was sent, by line."""

    def note(self, line: int) -> None:
        """The next row that is sent comes from this line."""
        self.sent += 1
        if not self._rows or self._lines[-1] + (self.sent - self._rows[-1]) != line:
            self._rows.append(self.sent)
            self._lines.append(line)

    def of(self, row: int) -> int:
        """The line of a row that was sent; 0 for one that was not."""
        place = bisect_right(self._rows, row) - 1
        if place < 0:
            return 0
        return self._lines[place] + (row - self._rows[place])

    def refuse(self, line: int, error: StillopenError) -> None:
        """A row that is not sent, and why."""
        self.refusals.refuse(line, error)

    def report(self, said: types_pb2.ImportReport) -> types_pb2.ImportReport:
        """What headquarters said and what was not sent, both by the lines of the file."""
        found = Refusals()
        found.add(self.refusals.count, self.refusals.first)
        found.add(
            said.refused,
            (
                Refusal(self.of(each.row), each.field, each.reason, each.message)
                for each in said.refusals
            ),
        )
        return found.report(said.accepted)
