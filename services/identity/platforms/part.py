"""Opens platforms: their life, enrolment, place on the bus, and the registry feed."""

from services.identity.bus.domain import BusKeys
from services.identity.bus.places import Accounts, BusPlaces
from services.identity.config import IdentitySettings
from services.identity.keys.provider import ProviderKeys
from services.identity.keys.secrets import Secrets
from services.identity.platforms import store
from services.identity.platforms.service.carrier import CarrierService
from services.identity.platforms.service.enrolment import EnrolmentService
from services.identity.platforms.service.platforms import PlatformAdminService, PlatformService
from services.identity.platforms.service.registry_feed import RegistryFeedService
from services.identity.requests.private import PrivateRequests
from shuniu.kit.feeds.serving import FeedServer
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_platforms(
    base: Foundation,
    settings: IdentitySettings,
    keys: Secrets,
    bus_keys: BusKeys,
    *,
    private: PrivateRequests,
    provider: ProviderKeys,
    trust_pem: str,
) -> Part:
    """Connects to the bus in the background. `trust_pem`: the roots of the edge, for those who join."""
    accounts = Accounts(store.bus_accounts, store.find_bus_account, store.bus_accounts_changed, store.FEED)
    places = BusPlaces(base.store, accounts, bus_keys, settings.bus_url, base.clock, replicas=settings.bus_replicas)
    feed = FeedServer(base.store, store.FEED)
    part = Part(
        edge=[
            servicer(PlatformService(base, keys)),
            servicer(PlatformAdminService(base, private, places, provider)),
            servicer(EnrolmentService(base, settings, keys, bus_keys, private, places, trust_pem)),
        ],
        peer=[servicer(RegistryFeedService(base, feed)), servicer(CarrierService(base, bus_keys))],
        tasks=[places.run],
        on_drain=feed.drain,
        close=places.admin.close,
    )
    places.admin.start()
    return part
