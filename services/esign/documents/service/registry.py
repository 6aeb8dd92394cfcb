"""CertificateRegistryService: what other services of the hub may know of a document."""

from dataclasses import dataclass
from typing import Any

from services.esign.documents.store import certificates
from services.esign.documents.store.certificates import ISSUED
from services.esign.service.refusals import certificate_unknown
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.esign.v1 import esign_pb2_grpc
from shuniu.kit.foundation import Foundation


@dataclass(frozen=True, slots=True)
class CertificateRegistryService(esign_pb2_grpc.CertificateRegistryServiceServicer):
    """Documents by their case, for exchange's deliveries."""

    base: Foundation

    async def GetCaseCertificate(
        self, request: pb.GetCaseCertificateRequest, context: Any
    ) -> pb.GetCaseCertificateResponse:
        row = await self.base.store.read(certificates.find_certificate_of_case, request.case_code)
        if row is None or row.stage != ISSUED:
            raise certificate_unknown("")
        return pb.GetCaseCertificateResponse(number=row.number, state=row.state.value)
