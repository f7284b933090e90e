"""What cashiers do with cards besides paying: sell, reload, cash out, give back, memos."""

import random
from collections.abc import Sequence

from tests.sim.history import History
from tests.sim.world import money

from stillopen.v1 import register_pb2, types_pb2

_PURPOSES = (
    types_pb2.CARD_PURPOSE_ISSUE,
    types_pb2.CARD_PURPOSE_ISSUE,
    types_pb2.CARD_PURPOSE_RELOAD,
    types_pb2.CARD_PURPOSE_CASH_OUT,
)


class Dealing:
    """The customers' cards and memos, which they carry from till to till."""

    def __init__(self, cards: Sequence[str], rng: random.Random, history: History) -> None:
        self._cards = cards
        self._rng = rng
        self._history = history

    def line(self, sale: types_pb2.Sale) -> register_pb2.AddCardLineRequest:
        """A gift card is sold, reloaded or cashed out; two tills may sell one number."""
        rng, fresh = self._rng, self._history.fresh_cards
        purpose = rng.choice(_PURPOSES)
        if purpose == types_pb2.CARD_PURPOSE_ISSUE and (not fresh or rng.random() < 0.7):
            fresh.append(f"71{rng.getrandbits(40):014}")
            number = fresh[-1]
        else:
            number = rng.choice([*self._cards, *fresh])
        by_hand = purpose != types_pb2.CARD_PURPOSE_CASH_OUT
        return register_pb2.AddCardLineRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            purpose=purpose,
            amount=money(rng.randint(50, 900)) if by_hand else None,
            card_number=number,
        )

    def tender(self, request: register_pb2.AddTenderRequest, due: int) -> None:
        """Fills in a payment, or what is given back, with a gift card or a memo."""
        rng, memos = self._rng, self._history.memos
        by_memo = rng.random() < 0.5 and (due < 0 or bool(memos))
        request.kind = (
            types_pb2.TENDER_KIND_CREDIT_MEMO if by_memo else types_pb2.TENDER_KIND_GIFT_CARD
        )
        if due < 0:
            request.amount.CopyFrom(money(due))
        else:
            most = rng.choice([20, 100, 500]) if by_memo else rng.randint(1, 1000)
            request.amount.CopyFrom(money(min(due, most)))
        if not by_memo:
            request.card_number = rng.choice([*self._cards, *self._history.fresh_cards])
        elif due > 0:
            request.card_number = rng.choice(memos[-6:])
