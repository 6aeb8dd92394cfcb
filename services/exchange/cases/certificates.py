"""Documents of cases, as esign's register has them."""

from typing import Final

import grpc

from services.exchange.cases.refusals import esign_away
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.esign.v1 import esign_pb2_grpc
from shuniu.kit.errors import Code, HubError
from shuniu.kit.rpc.client import ask_again

_SECONDS: Final = 3.0
_VALID: Final = "VALID"


class Certificates:
    """Asks esign each time: a document may have been withdrawn since."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = esign_pb2_grpc.CertificateRegistryServiceStub(channel)

    async def of_case(self, case_code: str) -> str:
        """Number of the valid document that was issued for a case; empty where there is none. Raises UNAVAILABLE
        ESIGN_AWAY.
        """
        request = pb.GetCaseCertificateRequest(case_code=case_code)
        try:
            found: pb.GetCaseCertificateResponse = await ask_again(
                self._stub.GetCaseCertificate, request, within=_SECONDS
            )
        except HubError as error:
            if error.code is Code.NOT_FOUND:
                return ""
            raise esign_away() if error.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED) else error from None
        return found.number if found.state == _VALID else ""
