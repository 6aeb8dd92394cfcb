"""Signing keys whose signatures are counted, so that the metrics show which algorithms a hub signs with."""

from dataclasses import dataclass, field

from services.esign.domain.cms.signed_data import SigningKey
from shuniu.kit.crypto.usage import Purpose, count

SM2_WITH_SM3, P256_WITH_SHA256 = "sm2-sm3", "ecdsa-p256-sha256"


@dataclass(frozen=True, slots=True)
class CountedKey:
    """A signing key whose signatures are counted under their purpose."""

    key: SigningKey = field(repr=False)
    purpose: Purpose
    name: str

    @property
    def algorithm(self) -> bytes:
        return self.key.algorithm

    @property
    def max_size(self) -> int:
        return self.key.max_size

    def sign(self, message: bytes) -> bytes:
        count(self.purpose, self.name)
        return self.key.sign(message)
