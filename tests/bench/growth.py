"""Cost against size: products, entries of a journal, registers. Each against the smallest size.

A sale, a lookup by barcode and a delta of one price have to stay flat. A snapshot, what it takes to
apply it, the drain of a journal and telling registers may grow with their size, and no faster. The
sizes are measured in turn.
"""

from pathlib import Path

from tests.bench import growth_journal, growth_products, growth_registers
from tests.bench.figures import Line
from tests.bench.plot import draw


async def measure(plots: Path | None = None) -> list[Line]:
    """All curves as lines of the table; drawn into a folder where asked."""
    curves = [
        *await growth_products.curves(),
        *await growth_journal.curves(),
        *await growth_registers.curves(),
    ]
    lines: list[Line] = [figure for curve in curves for figure in curve.figures()]
    if plots is not None:
        lines += draw(curves, plots)
    return lines
