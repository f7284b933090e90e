"""`stillopen profile`: offline profiles, that say when registers go offline and come back."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, TypedDict, TypeVar

import typer

from stillopen.cli import terminal
from stillopen.cli.group import remove_set_up, some
from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import Reason, StillopenError
from stillopen.core.parameters import DEFAULT_PROFILE, OfflineProfile
from stillopen.rpc.wire import profile_to
from stillopen.v1 import headquarters_pb2, types_pb2

app = typer.Typer(no_args_is_help=True, help="Offline profiles: when registers go offline.")

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Name = Annotated[str, typer.Argument(help="The profile.")]
T = TypeVar("T", int, str)


@app.command(name="list")
def list_(headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Offline profiles, and the stores that have them.

    Example: stillopen profile list
    """

    async def work() -> list[headquarters_pb2.OfflineProfileUse]:
        async with Headquarters(headquarters) as place:
            return await place.profiles()

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
        return
    terminal.show_table(
        ["profile", "description", ">timeout", ">reconnect", "advanced", "paused", "stores"],
        [
            (
                (p := use.offline_profile).name,
                p.description,
                f"{p.timeout_s:g} s",
                f"{p.reconnect_interval_s:g} s",
                _yes(p.enable_advanced_offline_switching),
                _paused(p),
                some(list(use.store_ids)),
            )
            for use in found
        ],
    )


@app.command()
def show(
    name: Name = DEFAULT_PROFILE, headquarters: Address = "127.0.0.1:7400", json: Json = False
) -> None:
    """One profile, "Default" when none is named.

    Example: stillopen profile show Fast
    """

    async def work() -> OfflineProfile:
        async with Headquarters(headquarters) as place:
            return await place.profile(name)

    _print(terminal.run(work()), as_json=json)


@app.command(name="set")
def set_(
    name: Name = DEFAULT_PROFILE,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    timeout_s: Annotated[
        float | None, typer.Option(help="How long a request may stay unanswered; 3 as shipped.")
    ] = None,
    retry_count: Annotated[
        int | None, typer.Option(help="How many times a request is tried within its time.")
    ] = None,
    reconnect_interval_s: Annotated[
        float | None,
        typer.Option(help="How long before a new sale may bring a register back; 300 as shipped."),
    ] = None,
    heartbeat_interval_s: Annotated[
        float | None, typer.Option(help="How often each side of a stream says it is there.")
    ] = None,
    prompt: Annotated[
        bool | None, typer.Option("--prompt/--no-prompt", help="Prompt on seamless offline.")
    ] = None,
    manual_before_sign_in: Annotated[
        bool | None,
        typer.Option(
            "--manual-before-sign-in/--no-manual-before-sign-in",
            help="Allow manual switch to offline before sign in.",
        ),
    ] = None,
    advanced: Annotated[
        bool | None,
        typer.Option("--advanced/--no-advanced", help="Enable advanced offline switching."),
    ] = None,
    health_check_interval_s: Annotated[
        float | None, typer.Option(help="With --advanced: how often the channel's health is asked.")
    ] = None,
    minimum_dwell_s: Annotated[
        float | None, typer.Option(help="With --advanced: the least time offline.")
    ] = None,
    slow_after_s: Annotated[
        float | None, typer.Option(help="An answer that takes longer is slow; 0 never looks.")
    ] = None,
    slow_reconnect_interval_s: Annotated[
        float | None,
        typer.Option(help="The reconnect interval after going offline because answers were slow."),
    ] = None,
    failure_count: Annotated[
        int | None, typer.Option(help="How many slow answers in a row are too many.")
    ] = None,
    failure_window_s: Annotated[
        float | None,
        typer.Option(
            help="Within how long slow answers, and failures after a return, are counted."
        ),
    ] = None,
    pause: Annotated[
        bool | None,
        typer.Option("--pause/--no-pause", help="Whether registers get no packages meanwhile."),
    ] = None,
    upload_interval_s: Annotated[
        float | None, typer.Option(help="How often a register sends its journal; 0 at once.")
    ] = None,
    package_interval_s: Annotated[
        float | None, typer.Option(help="How often it is offered a newer package; 0 at once.")
    ] = None,
    upload_size: Annotated[
        int | None, typer.Option(help="The most entries that it sends at a time.")
    ] = None,
    download_max_kib_per_s: Annotated[
        int | None,
        typer.Option(min=0, help="The most that comes down a stream in a second; 0 has no bound."),
    ] = None,
    upload_max_kib_per_s: Annotated[
        int | None,
        typer.Option(
            min=0, help="The most of journals that goes up a stream in a second; 0 has no bound."
        ),
    ] = None,
    pause_channel: Annotated[
        bool | None,
        typer.Option(
            "--pause-channel-sync/--no-pause-channel-sync",
            help="Whether the store's channel gets no packages meanwhile.",
        ),
    ] = None,
    exclude_job: Annotated[
        list[int] | None,
        typer.Option(
            help="A job that registers get nothing of: 1010 customers, 1020 prices, 1040 products,"
            " 1080 taxes."
        ),
    ] = None,
    exclude_table: Annotated[
        list[str] | None,
        typer.Option(
            help="A table that they get nothing of: barcode, customer, price, product, tax_group."
        ),
    ] = None,
    exclude_nothing: Annotated[
        bool, typer.Option("--exclude-nothing", help="Leave nothing out that is not named here.")
    ] = False,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Add a profile, or change what is given of one; "Default" when none is named.

    Registers have it with their next package. Times are in seconds. Jobs and tables that are
    excluded replace those that were; name each with an option of its own.
    Example: stillopen profile set Fast --advanced --minimum-dwell-s 60 --slow-after-s 1.5
    Example: stillopen profile set Kiosk --exclude-job 1010 --exclude-table price
    Example: stillopen profile set Ship --download-max-kib-per-s 64 --upload-max-kib-per-s 16
    """
    changes = _Changes(
        description=description,
        timeout_s=timeout_s,
        reconnect_interval_s=reconnect_interval_s,
        retry_count_to_offline=retry_count,
        heartbeat_interval_s=heartbeat_interval_s,
        prompt_on_seamless_offline=prompt,
        allow_manual_offline_before_sign_in=manual_before_sign_in,
        enable_advanced_offline_switching=advanced,
        system_health_check_interval_s=health_check_interval_s,
        minimum_dwell_s=minimum_dwell_s,
        offline_switch_api_performance_threshold_s=slow_after_s,
        reconnect_from_performance_induced_offline_interval_s=slow_reconnect_interval_s,
        failure_count=failure_count,
        failure_window_s=failure_window_s,
        pause_offline_sync=pause,
        transaction_upload_interval_s=upload_interval_s,
        new_offline_database_check_interval_s=package_interval_s,
        upload_transaction_size=upload_size,
        excluded_jobs=_named(exclude_job, nothing=exclude_nothing),
        excluded_tables=_named(exclude_table, nothing=exclude_nothing),
        download_max_kib_per_s=download_max_kib_per_s,
        upload_max_kib_per_s=upload_max_kib_per_s,
        pause_channel_sync=pause_channel,
    )

    async def work() -> OfflineProfile:
        async with Headquarters(headquarters) as place:
            profile = await _find(place, name) or OfflineProfile(name)
            given = {field: value for field, value in changes.items() if value is not None}
            return await place.set_profile(replace(profile, **given))  # type: ignore[arg-type]

    _print(terminal.run(work()), as_json=json)


@app.command()
def remove(name: Name, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Remove a profile that no store has; "Default" stays.

    Example: stillopen profile remove Fast
    """
    kind = headquarters_pb2.SET_UP_KIND_OFFLINE_PROFILE
    remove_set_up(kind, "profile", name, headquarters, as_json=json)


async def _find(place: Headquarters, name: str) -> OfflineProfile | None:
    try:
        return await place.profile(name)
    except StillopenError as error:
        if error.reason is not Reason.NAME_UNKNOWN:
            raise
        return None


class _Changes(TypedDict):
    """Fields of the profile; nothing leaves one as it is."""

    description: str | None
    timeout_s: float | None
    reconnect_interval_s: float | None
    retry_count_to_offline: int | None
    heartbeat_interval_s: float | None
    prompt_on_seamless_offline: bool | None
    allow_manual_offline_before_sign_in: bool | None
    enable_advanced_offline_switching: bool | None
    system_health_check_interval_s: float | None
    minimum_dwell_s: float | None
    offline_switch_api_performance_threshold_s: float | None
    reconnect_from_performance_induced_offline_interval_s: float | None
    failure_count: int | None
    failure_window_s: float | None
    pause_offline_sync: bool | None
    transaction_upload_interval_s: float | None
    new_offline_database_check_interval_s: float | None
    upload_transaction_size: int | None
    excluded_jobs: tuple[int, ...] | None
    excluded_tables: tuple[str, ...] | None
    download_max_kib_per_s: int | None
    upload_max_kib_per_s: int | None
    pause_channel_sync: bool | None


def _named(given: list[T] | None, *, nothing: bool) -> tuple[T, ...] | None:
    return tuple(sorted(set(given))) if given else () if nothing else None


def _print(profile: OfflineProfile, *, as_json: bool) -> None:
    if as_json:
        terminal.show_json(terminal.as_json(profile_to(profile)))
        return
    slow_s = profile.offline_switch_api_performance_threshold_s
    back_s = profile.reconnect_from_performance_induced_offline_interval_s
    terminal.show_table(
        ["field", "value"],
        [
            ("name", profile.name),
            ("description", profile.description),
            ("offline timeout", f"{profile.timeout_s:g} s"),
            ("retry count to offline", profile.retry_count_to_offline),
            ("reconnect attempt interval", f"{profile.reconnect_interval_s:g} s"),
            ("heartbeat interval", f"{profile.heartbeat_interval_s:g} s"),
            ("prompt on seamless offline", _yes(profile.prompt_on_seamless_offline)),
            (
                "allow manual switch to offline before sign in",
                _yes(profile.allow_manual_offline_before_sign_in),
            ),
            (
                "enable advanced offline switching",
                _yes(profile.enable_advanced_offline_switching),
            ),
            ("  system health check interval", f"{profile.system_health_check_interval_s:g} s"),
            ("  minimum dwell", f"{profile.minimum_dwell_s:g} s"),
            ("performance threshold", f"{slow_s:g} s" if slow_s else "never looks"),
            ("  slow answers in a row", profile.failure_count),
            ("  reconnect interval after them", f"{back_s:g} s"),
            ("failure window", f"{profile.failure_window_s:g} s"),
            ("pause offline synchronization", _yes(profile.pause_offline_sync)),
            ("  of the channel", _yes(profile.pause_channel_sync)),
            ("journal is sent", _every(profile.transaction_upload_interval_s)),
            ("  entries at a time", profile.upload_transaction_size),
            ("  at most", _speed(profile.upload_max_kib_per_s)),
            ("packages are offered", _every(profile.new_offline_database_check_interval_s)),
            ("  come down at most", _speed(profile.download_max_kib_per_s)),
            ("jobs that are left out", _all(profile.excluded_jobs)),
            ("tables that are left out", _all(profile.excluded_tables)),
        ],
    )


def _every(seconds: float) -> str:
    return f"every {seconds:g} s" if seconds else "at once"


def _speed(kib_per_s: int) -> str:
    return f"{kib_per_s} KiB/s" if kib_per_s else "as much as the line carries"


def _paused(profile: types_pb2.OfflineProfile) -> str:
    """For whom packages are paused."""
    whose = {"registers": profile.pause_offline_sync, "channel": profile.pause_channel_sync}
    return ", ".join(name for name, paused in whose.items() if paused) or "no"


def _all(parts: Iterable[object]) -> str:
    return ", ".join(map(str, parts)) or "none"


def _yes(value: bool) -> str:  # noqa: FBT001 - what is shown
    return "yes" if value else "no"
