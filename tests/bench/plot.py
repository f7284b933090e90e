"""Draws cost against size: one picture, a panel for what costs alike, both axes logarithmic.

The picture says nothing of when, where or by whom it was drawn. Dashed is what grows in proportion.
"""

import importlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from tests.bench.curves import Curve
from tests.bench.figures import Line, Skipped

NAME = "growth.svg"
TITLE = "Stillopen: cost against size (medians; dashed: in proportion to the size)"
COLUMNS = 3
PANEL_INCHES = (4.4, 3.6)
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56606b")
MARKERS = ("o", "s", "^", "D", "v")
STYLE: dict[str, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "growth",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
}
SILENT: dict[str, str | None] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
ELSEWHERE = re.compile(r"<!DOCTYPE.*?>\s*|<metadata>.*?</metadata>\s*", re.DOTALL)
"""What names places of the web; nobody needs it to show the picture."""


class Panel(Protocol):
    """Axes, as far as they are drawn on."""

    def loglog(
        self, sizes: Sequence[float], costs: Sequence[float], how_drawn: str, **how: object
    ) -> object:
        """Draws a curve."""
        ...

    def set(self, **what: object) -> object:
        """Sets title, labels, limits."""
        ...

    def legend(self, **how: object) -> object:
        """Says which curve is which."""
        ...

    def minorticks_off(self) -> None:
        """Leaves out what lies between the ticks."""
        ...

    def axis(self, option: str) -> object:
        """Turns the axes off."""
        ...


class Picture(Protocol):
    """A figure, as far as it is used."""

    def subplots(self, rows: int, columns: int, *, squeeze: bool) -> Sequence[Sequence[Panel]]:
        """Its panels."""
        ...

    def suptitle(self, text: str, **how: object) -> object:
        """What it shows."""
        ...

    def savefig(self, path: Path, **how: object) -> None:
        """Writes it."""
        ...


class Pictures(Protocol):
    """matplotlib.figure."""

    def Figure(self, **how: object) -> Picture:  # noqa: N802 - its name
        """A new one."""
        ...


class Styles(Protocol):
    """matplotlib itself."""

    rcParams: dict[str, object]  # noqa: N815 - its name


def draw(curves: Sequence[Curve], folder: Path) -> list[Line]:
    """Writes the picture; a word where it cannot be drawn."""
    try:
        styles = cast("Styles", importlib.import_module("matplotlib"))
        pictures = cast("Pictures", importlib.import_module("matplotlib.figure"))
    except ImportError:
        return [Skipped("growth, drawn", "matplotlib is not installed")]
    styles.rcParams.update(STYLE)
    panels = panels_of(curves)
    rows = -(-len(panels) // COLUMNS)
    size = (PANEL_INCHES[0] * COLUMNS, PANEL_INCHES[1] * rows)
    picture = pictures.Figure(figsize=size, layout="constrained", facecolor="white")
    picture.suptitle(TITLE, fontsize=12, fontweight="bold")
    places = [place for row in picture.subplots(rows, COLUMNS, squeeze=False) for place in row]
    for place, found in zip(places, panels, strict=False):
        fill(place, found)
    for place in places[len(panels) :]:
        place.axis("off")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    picture.savefig(path, format="svg", metadata=SILENT, facecolor="white")
    path.write_text(plain(path.read_text()))
    return []


def plain(text: str) -> str:
    """The picture without what names other places, in hundredths of a point."""
    short = re.sub(r"(\d\.\d\d)\d+", r"\1", ELSEWHERE.sub("", text))
    return re.sub(r"^[ \t]+|[ \t]+$", "", short, flags=re.MULTILINE)


def panels_of(curves: Sequence[Curve]) -> list[list[Curve]]:
    """Curves that share their axes."""
    found: dict[tuple[str, bool, str], list[Curve]] = {}
    for each in curves:
        found.setdefault((each.over, each.flat, each.unit.flat), []).append(each)
    return list(found.values())


def fill(panel: Panel, curves: Sequence[Curve]) -> None:
    """Draws the curves of one panel."""
    lowest = highest = next(iter(curves[0].told().values()))
    for number, each in enumerate(curves):
        told = each.told()
        sizes, costs = list(told), list(told.values())
        lowest, highest = min(lowest, *costs), max(highest, *costs)
        colour = COLOURS[number % len(COLOURS)]
        drawn = f"{MARKERS[number % len(MARKERS)]}-"
        panel.loglog(sizes, costs, drawn, color=colour, label=each.name, markersize=4)
        if not each.flat:
            grown = [costs[0] * size / sizes[0] for size in sizes]
            highest = max(highest, *grown)
            panel.loglog(sizes, grown, "--", color=colour, linewidth=0.8, alpha=0.6)
    first = curves[0]
    sizes = list(first.costs)
    decades = range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 1)
    panel.set(
        title=f"{first.over.capitalize()}: what {'stays flat' if first.flat else 'grows'}",
        xlabel=first.over,
        ylabel=first.cost_name,
        xlim=(sizes[0] / 1.6, sizes[-1] * 1.6),
        ylim=(10 ** decades[0] / 1.3, 10 ** decades[-1] * 1.3),
        xticks=sizes,
        xticklabels=[f"{size:,}" for size in sizes],
        yticks=[10**each for each in decades],
        yticklabels=[f"{10**each:,g}" for each in decades],
    )
    panel.minorticks_off()
    panel.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False, fontsize=8
    )
