"""What a cashier of the simulated estate does, how often, and how long it takes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Habits:
    """What a cashier does, and how often, from 0 to 1."""

    pause_s: tuple[float, float] = (0.05, 1.0)
    """Between two things."""
    customer_s: tuple[float, float] = (0.2, 5.0)
    """Between two customers."""
    lines_max: int = 4
    by_card: float = 0.6
    deals: float = 0.1
    """Sells, reloads or cashes out a gift card instead of ringing up goods."""
    dawdles: float = 0.03
    """Leaves a sale alone for a while."""
    gives_up: float = 0.05
    takes_back: float = 0.1
    """A line or a payment."""
    returns: float = 0.1
    by_hand: float = 0.1
    """Gives a price."""
    switches: float = 0.05
    """Operation 917, before a customer."""
    suspends: float = 0.06
    recalls: float = 0.15
    """Instead of a new sale, when something is suspended."""
    by_receipt: float = 0.5
    """Of the returns, when a receipt is at hand."""
    asks_a_manager: float = 0.3
    """When another goes on with the cart."""
    looks: float = 0.3
    """Asks for the sale again when an answer did not come."""
    answer_s: float = 12.0
    """For how long an answer is waited for before the same is asked again."""
    dawdle_s: tuple[float, float] = (5.0, 200.0)
    waits_s: tuple[float, float] = (1.0, 20.0)
    """For headquarters, when a sale may not be concluded without it."""
    office_s: tuple[float, float] = (5.0, 90.0)
    """Between two changes that somebody makes at headquarters."""
