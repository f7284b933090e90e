"""`stillopen wait`: until a place answers, for scripts that start one and go on."""

import asyncio
from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.security import Plaintext, Tls, security_of
from stillopen.core.errors import Reason, Unreachable
from stillopen.rpc.channel import open_channel
from stillopen.rpc.health import health_error
from stillopen.rpc.security import Security

ASK_AGAIN_S = 0.1
ANSWER_S = 1.0


def wait(
    address: Annotated[str, typer.Argument(help="host:port of a place.")],
    timeout_s: Annotated[float, typer.Option(help="How long to wait, in seconds.")] = 30.0,
    tls: Tls = None,
    plaintext: Plaintext = False,
) -> None:
    """Wait until a place serves; the exit status is 3 when it did not within the time.

    Example: stillopen wait 127.0.0.1:7400
    """

    async def work() -> None:
        await until_serving(address, security_of(tls, plaintext=plaintext), timeout_s)

    terminal.run(work())


async def until_serving(address: str, security: Security, timeout_s: float) -> None:
    """Asks again and again; raises why it was not reached when the time is over."""
    async with open_channel(address, security) as channel:
        last = await health_error(channel, ANSWER_S)
        try:
            async with asyncio.timeout(timeout_s):
                while last is not None:
                    await asyncio.sleep(ASK_AGAIN_S)
                    last = await health_error(channel, ANSWER_S)
        except TimeoutError:
            raise last or Unreachable(Reason.TIMED_OUT, "it did not answer in time") from None
