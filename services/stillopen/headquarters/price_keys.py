"""How a price is named: the product's id, a space, and the beginning as 2026-01-31T00:00:00Z."""

from datetime import UTC, datetime

from stillopen.core.errors import invalid
from stillopen.core.ids import fold_code

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def price_key(product_id: str, valid_from_s: int) -> str:
    """The key of a product's price that begins then."""
    begins = datetime.fromtimestamp(valid_from_s, UTC)
    return f"{fold_code(product_id)} {begins.strftime(_FORM)}"


def folded_key(text: str) -> str:
    """A key as a person gives it, in the form in which it is kept; Misuse when it is none."""
    product_id, _, begins = text.rpartition(" ")
    try:
        datetime.strptime(begins, _FORM).replace(tzinfo=UTC)
    except ValueError:
        raise invalid(
            "ids", "a price is named by product, a space, and 2026-01-31T00:00:00Z"
        ) from None
    return f"{fold_code(product_id)} {begins}"
