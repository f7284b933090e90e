"""What is checked: everything that people saw, and what the estate says of itself."""

from dataclasses import dataclass, field

from tests.sim.card_calls import CardCalls
from tests.sim.history import Answers, Card, History
from tests.sim.sizes import Weighed
from tests.sim.words import Words


@dataclass(frozen=True, slots=True)
class Record:
    """What is checked. `exceptional` says that locks may lapse before a sale is home."""

    history: History
    answers: Answers
    cards: tuple[Card, ...]
    exceptional: bool = False
    heard: CardCalls = field(default_factory=CardCalls)
    """What was asked of the card service."""
    words: Words = field(default_factory=Words)
    """What places said of themselves."""
    weighed: Weighed = field(default_factory=Weighed)
    """How much there was of everything at the end."""
