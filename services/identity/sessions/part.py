"""Opens registration and sign-in, with the threads that hash passwords."""

import grpc

from services.identity.config import IdentitySettings
from services.identity.keys.secrets import Secrets
from services.identity.requests.private import PrivateRequests
from services.identity.sessions.domain.tries import Limit
from services.identity.sessions.known_browsers import KnownBrowsers
from services.identity.sessions.login_index import LoginIndex
from services.identity.sessions.meters import Meters
from services.identity.sessions.password_sign_in import PasswordSignIn
from services.identity.sessions.passwords import Passwords
from services.identity.sessions.real_name import RealNameAuthority
from services.identity.sessions.registration import Registration
from services.identity.sessions.service import SignInService
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_sessions(
    base: Foundation,
    settings: IdentitySettings,
    keys: Secrets,
    *,
    private: PrivateRequests,
    vault: grpc.aio.Channel,
    exchange: grpc.aio.Channel,
) -> Part:
    passwords = Passwords(settings.password_threads, settings.password_queue)

    async def close() -> None:
        passwords.close()

    login_index = LoginIndex(keys.login_index)
    meters = Meters(
        keys.tries,
        sign_in=Limit(settings.sign_in_failures, settings.sign_in_window_seconds * 1_000_000),
        registration=Limit(settings.registration_failures, settings.registration_window_seconds * 1_000_000),
    )
    authority = RealNameAuthority(base, settings, vault, exchange)
    service = SignInService(
        base,
        private,
        registration=Registration(base, authority, passwords, login_index, meters, vault),
        sign_in=PasswordSignIn(base, settings, passwords, login_index, meters, KnownBrowsers(keys.known_browser)),
    )
    return Part(peer=[servicer(service)], close=close)
