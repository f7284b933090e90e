"""How properties are tested here."""

from hypothesis import HealthCheck, settings


def without_stopwatch() -> None:
    """A slow machine is no failure: no deadline for an example, none for making one."""
    settings.register_profile(
        "stillopen", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("stillopen")
