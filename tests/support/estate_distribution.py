"""What tests of distribution do at headquarters and ask of it."""

from tests.support.estate import Estate
from tests.support.estate_parts import STORE, eur, one

from stillopen.v1 import headquarters_pb2, types_pb2

Schedule = headquarters_pb2.DistributionSchedule


async def add_plum(estate: Estate, minor: int = 50) -> None:
    """A product more, or at another price."""
    plum = types_pb2.Product(product_id="PLUM", name="Plum", price=eur(minor))
    await estate.people.import_products(one(headquarters_pb2.ImportProductsRequest(rows=[plum])))


async def pause(estate: Estate) -> None:
    """Has nothing run by itself; everything until now is at the channel."""
    await estate.people.set_schedule(
        Schedule(name="default", jobs=[9999], on_change=True, paused=True)
    )
    await estate.until_channel_shows()


async def replica(estate: Estate, register_id: str = "") -> headquarters_pb2.Replica:
    """How the channel of the store, or a register, stands as headquarters knows it."""
    found = [
        each
        async for each in estate.people.replicas()
        if (each.store_id, each.register_id) == (STORE, register_id)
    ]
    assert len(found) == 1
    return found[0]
