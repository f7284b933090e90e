"""What the rules need from outside."""

from typing import Protocol


class Clock(Protocol):
    """The machine's clocks. Durations inside this process come from the event loop."""

    def wall_s(self) -> float:
        """Seconds since 1970; may jump, may be wrong by years."""
        ...

    def elapsed_s(self) -> float:
        """Seconds since some moment of this boot; counts suspend, never goes back."""
        ...

    def boot_id(self) -> str:
        """Another string after each start of the machine."""
        ...
