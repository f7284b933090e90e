"""Somebody at headquarters of the simulated estate, who changes parameters and prices."""

import asyncio
import random

from tests.sim.history import History
from tests.sim.world import CURRENCY, Estate

from stillopen.core.errors import StillopenError
from stillopen.core.parameters import CardParameters


async def office(
    estate: Estate,
    rng: random.Random,
    history: History,
    pause_s: tuple[float, float] = (5.0, 90.0),
) -> None:
    """Somebody at headquarters: allows concluding offline and forbids it, changes prices."""
    gift_card, factor = estate.plan.gift_card, 1
    while True:
        await asyncio.sleep(rng.uniform(*pause_s))
        try:
            if rng.random() < 0.5:
                gift_card = _flipped(gift_card)
                history.tell("office", gift_card.allow_concluding_offline)
                await estate.set_gift_card(gift_card)
            else:
                factor += 1
                history.tell("office prices", factor, CURRENCY)
                await estate.set_prices(factor, rng.sample(range(estate.plan.products), 2))
        except StillopenError as error:
            history.tell("office", error.reason)


def _flipped(before: CardParameters) -> CardParameters:
    return CardParameters(
        not before.allow_concluding_offline,
        before.conclude_within_s,
        before.lease_s,
        before.grace_s,
        before.settle_margin_s,
    )
