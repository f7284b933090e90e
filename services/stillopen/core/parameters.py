"""Parameters of group Posting, and the profile that says when a register goes offline.

Names follow the seeds ("Allow concluding gift card transactions in offline mode", tab Gift card).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import cast

from stillopen.core.errors import Misuse, Reason, invalid
from stillopen.core.ids import check_id, check_name
from stillopen.core.money import AMOUNT_MINOR_MAX
from stillopen.core.purpose import CardKind

DAY_S = 86_400.0
UPLOAD_MAX = 1_000
KIB = 1_024
KIB_PER_S_MAX = 100_000
"""The fastest that a stream can be bounded to: nearly what a line of a gigabit carries."""
DEFAULT_PROFILE = "Default"
"""The profile that is always there."""


@dataclass(frozen=True, slots=True)
class CardParameters:
    """How cards of a kind are locked and what a register may conclude alone. Times in seconds."""

    allow_concluding_offline: bool = False
    """The incumbent's parameter; off by default."""
    conclude_within_s: float = 8 * 3600.0
    """For how long a locked card may be concluded without headquarters' word, when allowed."""
    lease_s: float = 120.0
    """For how long a lock blocks after its grant or renewal."""
    grace_s: float = 3 * DAY_S
    """For how much longer one blocks that has terms or was confirmed."""
    settle_margin_s: float = 2 * DAY_S
    """How long a concluded sale may take to come home and be certain of its money."""
    hold_amount_only: bool = False
    """Whether registers hold only what a tender pays; off holds the whole card (incumbent)."""
    cash_out_up_to_minor: int = 0
    """Up to how much left on a gift card may be given out in cash; 0 for nothing."""

    @property
    def terms_s(self) -> float:
        """What a lock granted now may be concluded within; 0 when the parameter is off."""
        return self.conclude_within_s if self.allow_concluding_offline else 0.0


@dataclass(frozen=True, slots=True)
class Parameters:
    """What headquarters decides for all its stores."""

    version: int = 0
    currency: str = "EUR"
    gift_card: CardParameters = field(default_factory=CardParameters)
    credit_memo: CardParameters = field(default_factory=CardParameters)
    journal_retention_s: float = 30 * DAY_S
    """For how long headquarters holds entries before registers may delete theirs; 0 for ever."""

    def of(self, kind: CardKind) -> CardParameters:
        """The rules of a kind of card."""
        return self.credit_memo if kind is CardKind.CREDIT_MEMO else self.gift_card


def check_cards(parameters: CardParameters) -> CardParameters:
    """Refuses terms that could outlast what headquarters keeps blocked (protocol rule 4)."""
    for name in ("conclude_within_s", "lease_s", "grace_s", "settle_margin_s"):
        value = getattr(parameters, name)
        if not 0 <= value <= 366 * DAY_S:
            raise invalid(name, "between nothing and a year")
    if parameters.lease_s < 1:
        raise invalid("lease_s", "at least a second")
    if not 0 <= parameters.cash_out_up_to_minor <= AMOUNT_MINOR_MAX:
        raise invalid("cash_out_up_to", "not below nothing, and no more than an amount may be")
    if (
        parameters.conclude_within_s + parameters.settle_margin_s
        > parameters.lease_s + parameters.grace_s
    ):
        raise Misuse(
            Reason.PARAMETERS_INVALID,
            "conclude_within + settle_margin must not exceed lease + grace: a sale could be"
            " concluded after headquarters has let the card go",
            "conclude_within_s",
        )
    return parameters


def check_parameters(parameters: Parameters) -> Parameters:
    """Refuses parameters with which cards or journals could lose something."""
    check_cards(parameters.gift_card)
    check_cards(parameters.credit_memo)
    if not 0 <= parameters.journal_retention_s <= 100 * 366 * DAY_S:
        raise invalid("journal_retention", "between nothing and a hundred years")
    return parameters


@dataclass(frozen=True, slots=True)
class OfflineProfile:
    """When registers go offline and come back; the incumbent's fields, every time in seconds."""

    name: str = DEFAULT_PROFILE
    timeout_s: float = 3.0
    """How long a request may stay unanswered; all its tries share it."""
    reconnect_interval_s: float = 300.0
    """How long a register stays offline before a new sale may bring it back (incumbent: 5 min)."""
    retry_count_to_offline: int = 1
    """How many times a request is tried within its time."""
    heartbeat_interval_s: float = 5.0
    """How often each side of a stream says that it is there; gone after three missed."""
    prompt_on_seamless_offline: bool = False
    """Whether the cashier is asked, when a register went offline, to reconnect or work offline."""
    allow_manual_offline_before_sign_in: bool = False
    """Whether a register may be disconnected by hand while nobody is signed in."""
    enable_advanced_offline_switching: bool = False
    """Whether a health check brings a register back, also in the middle of a sale."""
    system_health_check_interval_s: float = 30.0
    """How often that check asks while the register is offline."""
    minimum_dwell_s: float = 30.0
    """The least time offline before a register comes back by itself, with advanced switching.

    Half a minute is short for a shop and long for a link that flaps. Without advanced switching the
    reconnect interval is what keeps a till from flapping.
    """
    offline_switch_api_performance_threshold_s: float = 0.0
    """An answer that takes longer is slow; 0 never looks."""
    reconnect_from_performance_induced_offline_interval_s: float = 300.0
    """The reconnect interval of a register that went offline because answers were slow."""
    failure_count: int = 3
    """How many slow answers in a row move a register offline; one alone may be chance."""
    failure_window_s: float = 60.0
    """Within it slow answers count together, and a failure so soon after a return is flapping."""
    description: str = ""
    """What it is for."""
    pause_offline_sync: bool = False
    """Whether registers get no packages; their journals go up all the same."""
    transaction_upload_interval_s: float = 0.0
    """How often a register sends what it journaled; 0 at once."""
    new_offline_database_check_interval_s: float = 0.0
    """How often a register is offered a newer package; 0 at once."""
    upload_transaction_size: int = UPLOAD_MAX
    """The most entries that a register sends at a time."""
    excluded_jobs: tuple[int, ...] = ()
    """Distribution jobs that registers get nothing of."""
    excluded_tables: tuple[str, ...] = ()
    """Tables that registers get nothing of."""
    download_max_kib_per_s: int = 0
    """How much of packages comes down a stream in a second; 0 as much as the line carries."""
    upload_max_kib_per_s: int = 0
    """How much of journals goes up a stream in a second; 0 as much as the line carries."""
    pause_channel_sync: bool = False
    """Whether the store's channel gets no packages; journals go up all the same."""

    @property
    def download_bytes_per_s_max(self) -> float:
        """The same in bytes; 0 has no bound."""
        return float(self.download_max_kib_per_s * KIB)

    @property
    def upload_bytes_per_s_max(self) -> float:
        """The same in bytes; 0 has no bound."""
        return float(self.upload_max_kib_per_s * KIB)


def check_profile(profile: OfflineProfile) -> OfflineProfile:
    """Refuses times and counts with which a register could not work."""
    check_id(profile.name, "name")
    check_name(profile.description, "description", required=False)
    bounds = {
        # Below half a second the relay's reserve leaves headquarters no time for cards.
        "timeout_s": (0.5, 120.0),
        "reconnect_interval_s": (0.0, DAY_S),
        "heartbeat_interval_s": (0.05, 300.0),
        "retry_count_to_offline": (1, 10),
        "system_health_check_interval_s": (0.1, DAY_S),
        "minimum_dwell_s": (1.0, DAY_S),
        # Slower than the timeout is no answer at all.
        "offline_switch_api_performance_threshold_s": (0.0, profile.timeout_s),
        "reconnect_from_performance_induced_offline_interval_s": (0.0, DAY_S),
        "failure_count": (1, 100),
        "failure_window_s": (1.0, DAY_S),
        "transaction_upload_interval_s": (0.0, DAY_S),
        "new_offline_database_check_interval_s": (0.0, DAY_S),
        "upload_transaction_size": (1, UPLOAD_MAX),
        "download_max_kib_per_s": (0, KIB_PER_S_MAX),
        "upload_max_kib_per_s": (0, KIB_PER_S_MAX),
    }
    for name, (low, high) in bounds.items():
        if not low <= getattr(profile, name) <= high:
            raise invalid(name, f"between {low:g} and {high:g}")
    return profile


def differences(before: object, after: object, path: str = "") -> Iterator[str]:
    """What is another in two values of one dataclass, as `field value`; versions left out."""
    if not is_dataclass(before) or not is_dataclass(after):
        if before != after:
            yield f"{path} {_said(after)}"
        return
    for each in fields(before):
        if each.name != "version":
            name = f"{path}.{each.name}" if path else each.name
            yield from differences(getattr(before, each.name), getattr(after, each.name), name)


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, cast("tuple[object, ...]", value))) or "nothing"
    return f"{value:g}" if isinstance(value, float) else str(value)
