"""The SM2 check with which certificates and signatures are judged (GB/T 32918.2): a port.

The arithmetic belongs to a library of the machine, which this domain does not know. Whoever knows it installs it once,
when it is loaded; without it nothing signed with SM2 can be judged, and everything else can.
"""

from collections.abc import Callable

from cryptography import x509

from services.esign.domain import der
from services.esign.domain.kept import kept

OID_SM2_WITH_SM3 = der.oid("1.2.156.10197.1.501")
ALGORITHM = der.tlv(der.SEQUENCE, OID_SM2_WITH_SM3)
"""AlgorithmIdentifier of SM2 with SM3, without parameters (GM/T 0006)."""
SIGNATURE_ALGORITHM = x509.ObjectIdentifier("1.2.156.10197.1.501")
# SubjectPublicKeyInfo: id-ecPublicKey on the curve 1.2.156.10197.1.301, up to the point.
_KEY_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")

Verify = Callable[[bytes, bytes, bytes], bool]
"""(SubjectPublicKeyInfo, message, signature in DER) → whether it holds under the default signer id."""


class Sm2AbsentError(Exception):
    """Nothing here checks SM2: what is signed with it cannot be judged here."""


def _absent(_spki: bytes, _message: bytes, _signature: bytes) -> bool:
    raise Sm2AbsentError("no SM2 on this machine")


_verify: Verify = _absent


def install(verify: Verify) -> None:
    """Names the check of this process. It may raise Sm2AbsentError."""
    global _verify  # noqa: PLW0603 — a library of the machine is one for the whole process
    _verify = verify


def holds(spki: bytes, message: bytes, signature: bytes) -> bool:
    """Tells whether `signature` is the key's over `message`. Raises Sm2AbsentError."""
    return _verify(spki, message, signature)


def is_key(spki: bytes) -> bool:
    """Tells whether a SubjectPublicKeyInfo is of an SM2 key (GM/T 0006)."""
    return spki.startswith(_KEY_HEAD)


@kept(1024)
def key_of(certificate: x509.Certificate) -> bytes | None:
    """SubjectPublicKeyInfo of an SM2 key; None for a key of any other kind."""
    spki = der.parse(certificate.tbs_certificate_bytes).children()[6].raw
    return spki if is_key(spki) else None
