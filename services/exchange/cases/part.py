"""Opens cases and their copy of the catalogue's items."""

from collections.abc import Mapping

import grpc

from services.exchange.cases.casework import Casework
from services.exchange.cases.certificates import Certificates
from services.exchange.cases.deadlines import Deadlines
from services.exchange.cases.items import Items
from services.exchange.cases.lapsing import Lapsing
from services.exchange.cases.service.cases import CaseService
from services.exchange.cases.service.handling import CaseHandlingService
from services.exchange.cases.service.registry import CaseRegistryService
from services.exchange.domain.time_limits import Calendar
from services.exchange.evidence.log import EvidenceBook
from services.exchange.people.resolving import People
from services.exchange.service.pages import Pages
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


async def open_cases(
    base: Foundation,
    catalogue: grpc.aio.Channel,
    esign: grpc.aio.Channel,
    *,
    people: People,
    pages: Pages,
    keyring: Keyring,
    calendar: Calendar,
    evidence: EvidenceBook,
) -> Part:
    items = Items(catalogue, base.store)
    await items.replica.load()
    work = Casework(base, items.book, keyring, calendar, evidence)

    async def facts() -> Mapping[str, str]:
        return {"items_known": str(len(items.book))}

    return Part(
        edge=[
            servicer(CaseService(work, people, pages)),
            servicer(CaseHandlingService(work, pages, Certificates(esign))),
        ],
        peer=[servicer(CaseRegistryService(work))],
        tasks=[items.replica.follow, Deadlines(base.store, calendar).count_anew, Lapsing(work).follow],
        facts=facts,
    )
