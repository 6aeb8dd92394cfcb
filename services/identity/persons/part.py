"""Opens persons: who stands behind a subject, and what of them is revealed to whom."""

import grpc

from services.identity.config import IdentitySettings
from services.identity.keys.secrets import Secrets
from services.identity.persons.service.persons import PersonService
from services.identity.persons.service.reveals import RevealService
from services.identity.persons.service_reveals import ServiceReveals
from services.identity.persons.vault_client import Sealer
from services.identity.requests.private import PrivateRequests
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_persons(
    base: Foundation,
    settings: IdentitySettings,
    keys: Secrets,
    *,
    private: PrivateRequests,
    vault: grpc.aio.Channel,
    exchange: grpc.aio.Channel,
) -> Part:
    sealer = Sealer(base, vault)
    return Part(
        edge=[servicer(RevealService(base, settings, keys, private, sealer, exchange))],
        peer=[servicer(PersonService(base, ServiceReveals(base, sealer)))],
    )
