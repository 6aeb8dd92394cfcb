"""The three services about seals, for the edge."""

from services.esign.seals.service.operators import SealAdmin, SealedBy
from services.esign.seals.service.owners import Seals
from services.esign.seals.service.persons import PersonalSeals
from services.esign.service.neighbours import Neighbours
from shuniu.kit.server import Servicer, servicer


def seal_servicers(seals: Seals, people: Neighbours, sealed_by: SealedBy) -> list[Servicer]:
    """Owners, operators and persons work on the same seals."""
    return [
        servicer(seals),
        servicer(SealAdmin(seals, sealed_by)),
        servicer(PersonalSeals(seals, people)),
    ]
