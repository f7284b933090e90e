"""A channel that is there and never answers: its connection lives, and its database does not.

`python -m tests.bench.silent` says its address and takes whatever a register asks of master data;
it answers that it is well, as one does whose other thread hangs.
"""

import asyncio
import sys
from typing import NoReturn

from stillopen.rpc.context import Context
from stillopen.rpc.server import listen
from stillopen.v1 import channel_data_pb2, channel_data_pb2_grpc


class Silent(channel_data_pb2_grpc.ChannelDataServiceServicer):
    """Takes calls."""

    async def GetProduct(  # noqa: N802 - the contract's name
        self, request: channel_data_pb2.GetProductRequest, context: Context
    ) -> NoReturn:
        """Never says what it costs."""
        del request, context
        await _never()

    async def SignIn(  # noqa: N802 - the contract's name
        self, request: channel_data_pb2.SignInRequest, context: Context
    ) -> NoReturn:
        """Never says who it is."""
        del request, context
        await _never()


async def _never() -> NoReturn:
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody sets it")


async def main() -> None:
    """Serves until it is ended."""
    listener = listen("127.0.0.1:0")
    servicer = Silent()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]
    await listener.start(
        [],
        [
            lambda server: channel_data_pb2_grpc.add_ChannelDataServiceServicer_to_server(
                servicer, server
            )
        ],
    )
    sys.stdout.write(f'"{listener.address}"\n')
    sys.stdout.flush()
    await _never()


if __name__ == "__main__":
    asyncio.run(main())
