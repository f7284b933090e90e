"""Figures of a benchmark: ours, the reference of the same run, and their ratio."""

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `at_least` says which side of the aim is good; none is stated only."""

    name: str
    figure: float
    unit: str
    reference: float
    aim: float | None
    at_least: bool

    @property
    def ratio(self) -> float:
        """Ours to the reference, in the same run."""
        return self.figure / self.reference if self.reference else 0.0

    @property
    def met(self) -> bool | None:
        """Whether the ratio is on the good side of the aim; nothing where there is none."""
        if self.aim is None:
            return None
        return self.ratio >= self.aim if self.at_least else self.ratio <= self.aim

    def as_json(self) -> dict[str, object]:
        """The line for programs."""
        told = asdict(self)
        told.pop("at_least")
        return {**told, "ratio": round(self.ratio, 3), "met": self.met}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that could not be measured here, and why: a peer that is not installed."""

    name: str
    why: str

    def as_json(self) -> dict[str, object]:
        """The line for programs."""
        return asdict(self)


Line = Figure | Skipped


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
