"""Watches an estate from its beginning to its end, and keeps what checkers want to know of it."""

from tests.sim.card_calls import CardCalls
from tests.sim.card_ear import CardEar
from tests.sim.scales import weigh
from tests.sim.sizes import Weighed
from tests.sim.word_ear import WordEar
from tests.sim.words import Words
from tests.sim.world import HQ_ADDRESS, Estate


class Watch:
    """What is heard of an estate; begin it before the estate is opened."""

    def __init__(self, estate: Estate) -> None:
        self.heard = CardCalls()
        self.words = Words()
        self.weighed = Weighed()
        self._estate = estate
        ear = WordEar(self.words, self._place_at)
        estate.network.ears += [CardEar(HQ_ADDRESS, self.heard), ear]
        estate.network.tap = ear

    async def weigh(self) -> None:
        """Weighs the estate twice, once everything is done that had to be."""
        await weigh(self._estate, self.weighed)

    def _place_at(self, address: str) -> str:
        places = self._estate.processes.values()
        return next((each.name for each in places if each.address == address), address)
