"""Seeds that always run, with the reason why."""

from pathlib import Path

from tests.sim.drawing import Seed, read_seed

_FILE = Path(__file__).with_name("seeds.txt")


def regression_seeds() -> dict[Seed, str]:
    """Every seed of seeds.txt and its reason."""
    found: dict[Seed, str] = {}
    for line in _FILE.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            seed, _, reason = line.partition(" ")
            found[read_seed(seed)] = reason.strip()
    return found


def keep(seed: Seed, reason: str) -> bool:
    """Adds a seed that broke a promise; False when it is there already."""
    if seed in regression_seeds():
        return False
    with _FILE.open("a") as file:
        file.write(f"{seed} {' '.join(reason.split())[:200]}\n")
    return True
