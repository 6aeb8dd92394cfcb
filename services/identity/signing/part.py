"""Opens a person's consent to sign."""

from services.identity.openid.tokens import Tokens
from services.identity.requests.private import PrivateRequests
from services.identity.signing.consents import Consents
from services.identity.signing.service import SigningService
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_signing(base: Foundation, private: PrivateRequests, tokens: Tokens) -> Part:
    return Part(edge=[servicer(SigningService(private, Consents(base, tokens)))])
