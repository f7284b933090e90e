"""A calamity comes between what was done and its answer, or before a disk said a word."""

import pytest
from tests.sim.checkers import CHECKS
from tests.sim.history import Event, Kind
from tests.sim.losses import Fate, Loss
from tests.sim.test_checkers import calm, deepcopied
from tests.sim.test_excuses import adjust, raise_one

from stillopen.v1 import types_pb2

LANE = ("R1-1", 5)


@pytest.mark.parametrize(("back_s", "wrong"), [(9.5, 1), (10.5, 0), (11.5, 0)])
def test_an_adjustment_may_be_answered_after_headquarters_went_back(
    back_s: float, wrong: int
) -> None:
    record = deepcopied(calm())
    adjust(record, booked=False, asked=True)  # asked at 10 s, answered at 11 s
    record.history.losses = [Loss(back_s, Fate.HEADQUARTERS_RESTORED, "HQ", image_s=5.0)]
    assert len(list(CHECKS["P3"](record))) == wrong


@pytest.mark.parametrize(("back_s", "wrong"), [(0.5, 1), (1.5, 0), (2.5, 0)])
def test_a_card_may_be_granted_by_the_headquarters_of_before(back_s: float, wrong: int) -> None:
    record = deepcopied(calm())
    raised = raise_one(record)
    raised.operation.line_id = "T1"
    sale = types_pb2.Sale(transaction_id=raised.transaction_id, version=2)
    sale.tenders.add(line_id="T1").card.card_id = raised.operation.card_id
    record.history.events += [
        Event(1.0, "R1-1", Kind.SENT, sale.transaction_id, 1, "AddTender"),
        Event(2.0, "R1-1", Kind.ANSWERED, sale.transaction_id, 2, "AddTender", sale),
    ]
    record.history.losses = [Loss(back_s, Fate.HEADQUARTERS_RESTORED, "HQ")]
    assert len(list(CHECKS["P4"](record))) == wrong


@pytest.mark.parametrize(("again", "wrong"), [(True, 0), (False, 1)])
def test_a_disk_that_went_again_may_never_have_said_that_it_has_less(
    again: bool,  # noqa: FBT001
    wrong: int,
) -> None:
    record = deepcopied(calm())
    back = Loss(1.0, Fate.RESTORED, "R1-1", "R1-1", claimed={LANE: 8}, left={LANE: 2})
    record.history.losses = [back]
    if again:
        record.history.losses.append(Loss(2.0, Fate.REINSTALLED, "R1-1", "R1-1"))
    assert len(list(CHECKS["P2"](record))) == wrong
