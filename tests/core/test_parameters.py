import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillopen.core.errors import Misuse, Reason
from stillopen.core.parameters import (
    DAY_S,
    CardParameters,
    OfflineProfile,
    Parameters,
    check_cards,
    check_profile,
    differences,
)

SECONDS = st.floats(0, 366 * DAY_S)


def test_the_defaults_are_the_agreed_ones_and_hold() -> None:
    parameters = check_cards(CardParameters())
    assert not parameters.allow_concluding_offline
    assert parameters.lease_s == 120
    assert parameters.grace_s == 72 * 3600
    assert parameters.settle_margin_s == 48 * 3600
    assert parameters.conclude_within_s == 8 * 3600
    assert Parameters().gift_card == parameters


def test_without_the_parameter_no_lock_has_terms() -> None:
    off = CardParameters(conclude_within_s=60)
    assert off.terms_s == 0
    assert replace(off, allow_concluding_offline=True).terms_s == 60


@given(SECONDS, SECONDS, st.floats(1, 366 * DAY_S), SECONDS)
def test_nothing_may_be_concluded_after_headquarters_has_let_go(
    conclude_s: float, margin_s: float, lease_s: float, grace_s: float
) -> None:
    parameters = CardParameters(
        conclude_within_s=conclude_s, settle_margin_s=margin_s, lease_s=lease_s, grace_s=grace_s
    )
    if conclude_s + margin_s <= lease_s + grace_s:
        assert check_cards(parameters) is parameters
    else:
        with pytest.raises(Misuse) as refusal:
            check_cards(parameters)
        assert refusal.value.reason is Reason.PARAMETERS_INVALID


def test_the_limit_itself_is_allowed_and_a_second_more_is_not() -> None:
    even = CardParameters(conclude_within_s=70, settle_margin_s=50, lease_s=20, grace_s=100)
    assert check_cards(even) is even
    with pytest.raises(Misuse):
        check_cards(replace(even, conclude_within_s=71))


def test_the_rule_holds_also_while_the_parameter_is_off() -> None:
    with pytest.raises(Misuse):
        check_cards(CardParameters(conclude_within_s=30 * DAY_S))


NOTHING = CardParameters(conclude_within_s=0, settle_margin_s=0, lease_s=1, grace_s=0)


@pytest.mark.parametrize("value", [-1.0, 367 * DAY_S, math.inf, math.nan])
def test_times_are_between_nothing_and_a_year(value: float) -> None:
    assert check_cards(NOTHING) is NOTHING
    for wrong in (
        replace(NOTHING, conclude_within_s=value),
        replace(NOTHING, settle_margin_s=value),
        replace(NOTHING, lease_s=value),
        replace(NOTHING, grace_s=value),
    ):
        with pytest.raises(Misuse):
            check_cards(wrong)


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        (OfflineProfile(name=""), "name"),
        (OfflineProfile(timeout_s=0), "timeout_s"),
        (OfflineProfile(timeout_s=121), "timeout_s"),
        (OfflineProfile(timeout_s=math.nan), "timeout_s"),
        (OfflineProfile(reconnect_interval_s=-1), "reconnect_interval_s"),
        (OfflineProfile(reconnect_interval_s=DAY_S + 1), "reconnect_interval_s"),
        (OfflineProfile(retry_count_to_offline=0), "retry_count_to_offline"),
        (OfflineProfile(retry_count_to_offline=11), "retry_count_to_offline"),
        (OfflineProfile(heartbeat_interval_s=0), "heartbeat_interval_s"),
        (OfflineProfile(heartbeat_interval_s=301), "heartbeat_interval_s"),
        (OfflineProfile(system_health_check_interval_s=0), "system_health_check_interval_s"),
        (OfflineProfile(system_health_check_interval_s=math.nan), "system_health_check_interval_s"),
        (OfflineProfile(minimum_dwell_s=0.5), "minimum_dwell_s"),
        (OfflineProfile(minimum_dwell_s=DAY_S + 1), "minimum_dwell_s"),
        (
            OfflineProfile(offline_switch_api_performance_threshold_s=-1),
            "offline_switch_api_performance_threshold_s",
        ),
        (
            OfflineProfile(timeout_s=2, offline_switch_api_performance_threshold_s=2.1),
            "offline_switch_api_performance_threshold_s",
        ),
        (
            OfflineProfile(reconnect_from_performance_induced_offline_interval_s=-1),
            "reconnect_from_performance_induced_offline_interval_s",
        ),
        (OfflineProfile(failure_count=0), "failure_count"),
        (OfflineProfile(failure_count=101), "failure_count"),
        (OfflineProfile(failure_window_s=0), "failure_window_s"),
        (OfflineProfile(failure_window_s=math.inf), "failure_window_s"),
        (OfflineProfile(description="x" * 201), "description"),
        (OfflineProfile(description="a\nb"), "description"),
        (OfflineProfile(transaction_upload_interval_s=-1), "transaction_upload_interval_s"),
        (OfflineProfile(transaction_upload_interval_s=math.nan), "transaction_upload_interval_s"),
        (
            OfflineProfile(new_offline_database_check_interval_s=DAY_S + 1),
            "new_offline_database_check_interval_s",
        ),
        (OfflineProfile(upload_transaction_size=0), "upload_transaction_size"),
        (OfflineProfile(upload_transaction_size=1_001), "upload_transaction_size"),
        (OfflineProfile(download_max_kib_per_s=-1), "download_max_kib_per_s"),
        (OfflineProfile(download_max_kib_per_s=100_001), "download_max_kib_per_s"),
        (OfflineProfile(upload_max_kib_per_s=-1), "upload_max_kib_per_s"),
        (OfflineProfile(upload_max_kib_per_s=100_001), "upload_max_kib_per_s"),
    ],
)
def test_a_profile_no_register_could_work_with_is_refused(
    profile: OfflineProfile, field: str
) -> None:
    with pytest.raises(Misuse) as refusal:
        check_profile(profile)
    assert refusal.value.field == field


def test_the_default_profile_holds_and_turns_nothing_on() -> None:
    profile = check_profile(OfflineProfile())
    assert not profile.prompt_on_seamless_offline
    assert not profile.enable_advanced_offline_switching
    assert not profile.allow_manual_offline_before_sign_in
    assert profile.offline_switch_api_performance_threshold_s == 0
    assert not profile.download_bytes_per_s_max
    assert not profile.upload_bytes_per_s_max
    assert not profile.pause_channel_sync


def test_a_bound_of_a_profile_is_said_in_kibibytes_and_kept_in_bytes() -> None:
    profile = check_profile(OfflineProfile(download_max_kib_per_s=2, upload_max_kib_per_s=1))
    assert profile.download_bytes_per_s_max == 2_048
    assert profile.upload_bytes_per_s_max == 1_024


def test_what_changed_is_told_field_by_field_without_the_version() -> None:
    before = Parameters(3)
    after = Parameters(4, gift_card=CardParameters(conclude_within_s=3_600.0), currency="USD")
    assert list(differences(before, after)) == ["currency USD", "gift_card.conclude_within_s 3600"]
    assert list(differences(before, Parameters(9))) == []
