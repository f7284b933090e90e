"""A curve: what something costs at each size, and the lines of the table that come of it."""

from dataclasses import dataclass

from tests.bench.figures import Figure

RATIO_MAX = 1.5
"""What has to stay flat may cost so many times as much at the largest size as at the smallest; of
what may grow with the size, each row, entry or register may. It is what a tree of one more level
and caches that no longer hold everything are allowed."""


@dataclass(frozen=True, slots=True)
class Unit:
    """How costs are told: a flat one as it is, a growing one for each of what it grows with."""

    flat: str
    flat_factor: float
    each: str
    each_factor: float


SECONDS = Unit("ms", 1_000.0, "µs", 1_000_000.0)
BYTES = Unit("KiB", 1 / 1_024, "bytes", 1.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """What something costs, by the size of what it may depend on."""

    name: str
    over: str
    """What there are so many of, in the plural."""
    costs: dict[int, float]
    """The smallest size first."""
    flat: bool
    unit: Unit = SECONDS

    @property
    def cost_name(self) -> str:
        """The unit of `told`."""
        return self.unit.flat

    def told(self) -> dict[int, float]:
        """The costs as they are drawn."""
        return {size: cost * self.unit.flat_factor for size, cost in self.costs.items()}

    def figures(self) -> list[Figure]:
        """Each size against the smallest."""
        smallest, *larger = self.costs
        return [self._figure(size, smallest) for size in larger]

    def _figure(self, size: int, smallest: int) -> Figure:
        name = f"{self.name}, {size:,} {self.over} to {smallest:,}"
        ours, reference, unit = self.costs[size], self.costs[smallest], self.unit.flat
        factor = self.unit.flat_factor
        if not self.flat:
            ours, reference = ours / size, reference / smallest
            unit, factor = f"{self.unit.each} each", self.unit.each_factor
        return Figure(name, ours * factor, unit, reference * factor, RATIO_MAX, at_least=False)
