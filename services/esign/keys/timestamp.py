"""Keys of the timestamp authority: made once by `shuniu init`, read once at start."""

from services.esign.certification.domain import pki
from services.esign.config import KeyFiles
from services.esign.domain.cms.signed_data import P256Key
from services.esign.keys import authority_files
from services.esign.keys.counted import P256_WITH_SHA256, CountedKey
from services.esign.timestamps.domain.token import TimestampSigner
from shuniu.kit.crypto.device import Algorithm
from shuniu.kit.crypto.key_files import KeyRoom
from shuniu.kit.crypto.usage import Purpose
from shuniu.kit.process.config import ConfigError
from shuniu.kit.process.durable import write_public, write_secret


def load(files: KeyFiles, room: KeyRoom, policy: str) -> TimestampSigner | None:
    """Opens the authority that stamps under `policy` (OID); None when this hub has no timestamp authority of its own.

    Raises ConfigError naming the file that is no key, or readable by others.
    """
    certificate, key = files.tsa("authority")
    above = files.tsa("ca")[0]
    if not key.exists():
        return None
    try:
        authority = authority_files.with_key(certificate, room.ec(key), above)
        counted = CountedKey(P256Key(authority.key), Purpose.TIMESTAMP, P256_WITH_SHA256)
        chain = [pki.certificate_der(c) for c in authority.above]
        return TimestampSigner.prepare(counted, authority.der, chain, policy)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{key}: the timestamp authority's key cannot be read: {type(error).__name__}") from None


def make(files: KeyFiles, room: KeyRoom, hub: str, now_us: int) -> None:
    """Makes what is absent, the authority's key where `room` makes it. Without the root's key (it may have been taken
    off the machine) nothing is made.
    """
    certificate, key = files.tsa("authority")
    ca_certificate, ca_key = files.tsa("ca")
    if key.exists():
        return
    if not ca_key.exists():
        if not files.root_key.exists():
            return
        root = authority_files.with_key_file(files.root, files.root_key)
        ca = pki.make_tsa_ca(root, hub, now_us)
        write_public(ca_certificate, pki.certificate_pem(ca.certificate))
        write_secret(ca_key, pki.key_pem(ca.key))
    ca = authority_files.with_key_file(ca_certificate, ca_key, files.root)
    passing = key.with_suffix(".next")
    room.make(passing, Algorithm.P256)
    authority = pki.make_tsa(ca, hub, now_us, room.ec(passing))
    write_public(certificate, pki.certificate_pem(authority.certificate))
    passing.replace(key)
