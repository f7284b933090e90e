from hypothesis import given
from hypothesis import strategies as st

from stillopen.cli.import_lines import Lines
from stillopen.core.errors import invalid
from stillopen.v1 import types_pb2


@given(st.lists(st.integers(1, 4), max_size=60))
def test_every_row_finds_the_line_it_came_from(steps: list[int]) -> None:
    lines, line, expected = Lines(), 1, list[int]()
    for step in steps:
        line += step
        expected.append(line)
        lines.note(line)
    assert [lines.of(row) for row in range(1, len(steps) + 1)] == expected
    assert lines.sent == len(steps)
    assert lines.of(0) == 0


def test_a_report_has_what_both_ends_refused_by_the_lines_of_the_file() -> None:
    lines = Lines()
    lines.note(2)
    lines.refuse(3, invalid("price", "not a number"))
    lines.note(4)
    said = types_pb2.ImportReport(
        accepted=1,
        refused=1,
        refusals=[types_pb2.ImportRefusal(row=2, field="name", reason="NEWER", message="so")],
    )
    found = lines.report(said)
    assert (found.accepted, found.refused) == (1, 2)
    assert [(r.row, r.field, r.reason) for r in found.refusals] == [
        (3, "price", "INVALID_ARGUMENT"),
        (4, "name", "NEWER"),
    ]
