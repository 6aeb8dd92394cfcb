"""Opens OpenID: codes, tokens and userinfo."""

from dataclasses import dataclass

import grpc

from services.identity.config import IdentitySettings
from services.identity.keys.provider import ProviderKeys
from services.identity.keys.secrets import Secrets
from services.identity.openid.profiles import Profiles
from services.identity.openid.service import OpenIdService
from services.identity.openid.token_endpoint import TokenEndpoint
from services.identity.openid.tokens import Tokens
from services.identity.requests.private import PrivateRequests
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdPart(Part):
    tokens: Tokens


def open_openid(
    base: Foundation,
    settings: IdentitySettings,
    keys: Secrets,
    *,
    private: PrivateRequests,
    provider: ProviderKeys,
    vault: grpc.aio.Channel,
) -> OpenIdPart:
    tokens = Tokens(provider, base.hub.issuer, settings.access_token_seconds)
    endpoint = TokenEndpoint(base, settings, keys, tokens)
    openid = OpenIdService(base, settings, private, provider, tokens, endpoint, Profiles(base, vault))
    return OpenIdPart(tokens=tokens, peer=[servicer(openid)])
