"""Channels to the services that exchange calls."""

from dataclasses import dataclass

import grpc

from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighboursPart(Part):
    identity: grpc.aio.Channel
    catalogue: grpc.aio.Channel
    esign: grpc.aio.Channel


def open_neighbours(base: Foundation) -> NeighboursPart:
    identity, catalogue, esign = base.channel("identity"), base.channel("catalogue"), base.channel("esign")

    async def close() -> None:
        for channel in (esign, catalogue, identity):
            await channel.close()

    return NeighboursPart(identity=identity, catalogue=catalogue, esign=esign, close=close)
