"""Tender types: the ways to pay, under the names that a shop gives them."""

from collections.abc import Iterable
from dataclasses import dataclass

from stillopen.core.ids import check_id, check_name
from stillopen.core.sale import TenderKind


@dataclass(frozen=True, slots=True)
class TenderType:
    """A way to pay; a closed one is not taken any more."""

    tender_type_id: str
    name: str
    kind: TenderKind
    closed: bool = False


def check_tender_type(tender_type: TenderType) -> TenderType:
    """Refuses a way to pay without a name."""
    check_id(tender_type.tender_type_id, "tender_type_id")
    check_name(tender_type.name, "name")
    return tender_type


def taken(kind: TenderKind, tender_types: Iterable[TenderType]) -> bool:
    """Whether registers take that kind: one of its types is open, or it has none at all."""
    of_kind = [each for each in tender_types if each.kind is kind]
    return not of_kind or any(not each.closed for each in of_kind)
