"""Opens queries: the streams of providers, and those who ask over them."""

from services.exchange.config import ExchangeSettings, replica_address
from services.exchange.evidence.log import EvidenceBook
from services.exchange.people.resolving import People
from services.exchange.queries.asking import Asking
from services.exchange.queries.authority_calls import AuthorityCalls
from services.exchange.queries.digests import Digests
from services.exchange.queries.forwarding import Forwarding
from services.exchange.queries.granted_calls import GrantedCalls
from services.exchange.queries.registration import Registration
from services.exchange.queries.service.authority import AuthorityService
from services.exchange.queries.service.providers import ProviderService
from services.exchange.queries.service.queries import QueryService
from services.exchange.queries.service.replicas import ProviderStreamService
from services.exchange.queries.streams import ProviderStreams
from shuniu.kit.crypto import profile
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_queries(
    base: Foundation, settings: ExchangeSettings, *, people: People, keyring: Keyring, evidence: EvidenceBook
) -> Part:
    address = replica_address(base.hub, settings)
    forwarding = Forwarding(base, address)
    # Another replica can only be where the store may be shared.
    elsewhere = forwarding.ask if base.store.is_shared else None
    streams = ProviderStreams(settings.provider_wait_seconds, settings.provider_seconds, elsewhere)
    registration = Registration(base, streams, address)
    digests = Digests(profile.of(base.hub.profile).evidence_hash)
    asking = Asking(streams, base.clock, settings.provider_seconds, digests)
    calls = GrantedCalls(base, people, asking, keyring, evidence)
    queries = QueryService(base, calls)

    async def close() -> None:
        await queries.close()
        await registration.close()
        await forwarding.close()

    return Part(
        edge=[servicer(queries), servicer(ProviderService(base, streams))],
        peer=[
            servicer(AuthorityService(AuthorityCalls(base, asking, evidence))),
            servicer(ProviderStreamService(streams)),
        ],
        tasks=[registration.keep] if base.store.is_shared else [],
        on_drain=streams.drain,
        close=close,
    )
