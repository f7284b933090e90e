"""Seeds that always run, with the reason why."""

from pathlib import Path

from tests.sim.drawing import LENGTH

_FILE = Path(__file__).with_name("seeds.txt")
Kept = tuple[int, float]
"""A seed, and the length of its day."""


def regression_seeds() -> dict[Kept, str]:
    """Every seed of seeds.txt and its reason."""
    found: dict[Kept, str] = {}
    for line in _FILE.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            seed, _, length = name.partition("x")
            found[int(seed), float(length or LENGTH)] = reason.strip()
    return found


def keep(seed: int, length: float, reason: str) -> bool:
    """Adds a seed that broke a promise; False when it is there already."""
    if (seed, length) in regression_seeds():
        return False
    with _FILE.open("a") as file:
        file.write(f"{seed}x{length:g} {' '.join(reason.split())[:200]}\n")
    return True
