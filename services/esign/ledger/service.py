"""LedgerService: the ledger's public face, C2SP tlog-tiles by path."""

import re
from dataclasses import dataclass
from typing import Any

from services.esign.domain.errors import NoteMalformedError
from services.esign.ledger.sequencer import Sequencer
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.esign.v1 import esign_pb2_grpc
from shuniu.kit import errors

_PATH = re.compile(r"tile/(entries|\d{1,2})(/[0-9x]{1,4}){1,8}(\.p/\d{1,3})?")


@dataclass(slots=True)
class LedgerService(esign_pb2_grpc.LedgerServiceServicer):
    """Checkpoints and tiles."""

    ledger: Sequencer

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: Any) -> pb.GetCheckpointResponse:
        return pb.GetCheckpointResponse(checkpoint=self.ledger.checkpoint_text, witnessed=self.ledger.witnessed_text)

    async def GetTile(self, request: pb.GetTileRequest, context: Any) -> pb.GetTileResponse:
        try:
            if not _PATH.fullmatch(request.path):
                raise FileNotFoundError
            return pb.GetTileResponse(tile=await self.ledger.read(request.path))
        except (FileNotFoundError, NoteMalformedError):
            raise errors.not_found(
                "TILE_UNKNOWN", "There is no such tile.", "没有该数据块。", path=request.path[:80]
            ) from None
