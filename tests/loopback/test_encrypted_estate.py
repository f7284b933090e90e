"""The whole estate with certificates, each side asking the other for one."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.certificates import Authority
from tests.support.estate import Estate
from tests.support.estate_messages import ask
from tests.support.estate_parts import GIFT, ME

from stillopen.cli.headquarters import Headquarters
from stillopen.cli.security import security_of
from stillopen.core.errors import Unreachable
from stillopen.rpc.channel import open_channel
from stillopen.rpc.security import PLAINTEXT
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc


async def test_a_card_sale_goes_home_over_certificates_alone(tmp_path: Path) -> None:
    authority = Authority()
    security = security_of(authority.signs_for(tmp_path / "tls"), client_certificates=True)
    async with Estate(tmp_path / "estate", security=security) as estate:
        till = await estate.till("R1")
        await till.sold_by_card()
        await estate.until_home(till)
        assert len(await estate.sales_home()) == 1
        assert (await estate.balance(GIFT)).locked_by == ""
        believing = replace(security, certificate=None, private_key=None)
        strangers = (PLAINTEXT, believing, security_of(Authority("x").signs_for(tmp_path / "x")))
        for security_of_stranger in strangers:
            with pytest.raises(Unreachable):
                await Headquarters(
                    estate.headquarters.address, ME, security_of_stranger
                ).parameters()
            async with open_channel(estate.channel.address, security_of_stranger) as channel:
                stub = headquarters_pb2_grpc.HeadquartersServiceStub(channel)
                request = headquarters_pb2.HeadquartersServiceGetParametersRequest()
                with pytest.raises(Unreachable):
                    await ask(stub.GetParameters, request, ME)
