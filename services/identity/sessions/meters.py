"""Meters of a sign-in and of a registration: which counts a try takes, under keyed hashes."""

import hashlib
import hmac
from dataclasses import dataclass, field

from services.identity.sessions.domain.registration import Registrant
from services.identity.sessions.domain.tries import OF_ALL_SENDERS, OF_ONE_NAME, OF_ONE_SENDER, Limit, Meter


@dataclass(frozen=True, slots=True)
class Meters:
    """`key`: 32 bytes of identity's root secret. Two tries that take the same meters take them in the same order."""

    key: bytes = field(repr=False)
    sign_in: Limit
    registration: Limit

    def of_sign_in(self, index: str, sender: str, browser: str) -> tuple[Meter, ...]:
        """Returns the meters of a sign-in, the sender's own first. A browser that the person signed in with before has
        only its own, so nobody else's tries keep the person out there.
        """
        if browser:
            return (self._meter(self.sign_in, "browser", index, browser),)
        return (
            self._meter(self.sign_in, "login", index, sender),
            self._meter(self.sign_in.times(OF_ALL_SENDERS), "login", index),
        )

    def of_registration(self, registrant: Registrant, sender: str) -> tuple[Meter, ...]:
        number = (registrant.document_type, registrant.document_number)
        limit = self.registration
        return (
            self._meter(limit.times(OF_ONE_SENDER), "sender", sender),
            self._meter(limit, "number", *number, sender),
            self._meter(limit.times(OF_ALL_SENDERS), "number", *number),
            # A fifth of what all senders have together: one of them does not keep a name's bearers out.
            self._meter(limit.times(OF_ONE_NAME // OF_ALL_SENDERS), "name", registrant.full_name, sender),
            self._meter(limit.times(OF_ONE_NAME), "name", registrant.full_name),
        )

    def _meter(self, limit: Limit, *of: str) -> Meter:
        # The number of parts is hashed first, so meters with different numbers of parts never hash the same text.
        text = "\0".join((str(len(of)), *of))
        return Meter(hmac.digest(self.key, text.encode(), hashlib.sha256).hex(), limit)
