"""The three services about seals, for the edge."""

from services.esign.seals.service.operators import SealAdmin, SealedBy
from services.esign.seals.service.owners import Seals
from services.esign.seals.service.persons import PersonalSeals
from services.esign.service.neighbours import Neighbours
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc, seal_pb2, seal_pb2_grpc
from shuniu.kit.server import Servicer


def seal_servicers(seals: Seals, people: Neighbours, sealed_by: SealedBy) -> list[Servicer]:
    """Owners, operators and persons work on the same seals."""
    of_operators = seal_pb2.DESCRIPTOR.services_by_name
    return [
        Servicer(
            esign_pb2_grpc.add_SealServiceServicer_to_server,
            seals,
            esign_pb2.DESCRIPTOR.services_by_name["SealService"],
        ),
        Servicer(
            seal_pb2_grpc.add_SealAdminServiceServicer_to_server,
            SealAdmin(seals, sealed_by),
            of_operators["SealAdminService"],
        ),
        Servicer(
            seal_pb2_grpc.add_PersonalSealServiceServicer_to_server,
            PersonalSeals(seals, people),
            of_operators["PersonalSealService"],
        ),
    ]
