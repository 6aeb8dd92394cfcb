"""SM2 keys of the timestamp authority, for hubs of the profile sm: made once by `shuniu init`, read once at start."""

from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import sm2_pki
from services.esign.certification.domain.chain import ChainError
from services.esign.config import KeyFiles
from services.esign.domain.cms.sm2 import Sm2Key
from services.esign.domain.digests import SM3
from services.esign.keys.counted import SM2_WITH_SM3, CountedKey
from services.esign.keys.sm2 import ROOT, certificate_pem, key_pair, load_signer
from services.esign.timestamps.domain.token import TimestampSigner
from shuniu.kit.crypto import pem_files, sm
from shuniu.kit.crypto.device import Algorithm
from shuniu.kit.crypto.key_files import SOFTWARE, KeyRoom
from shuniu.kit.crypto.usage import Purpose
from shuniu.kit.process.config import ConfigError
from shuniu.kit.process.durable import write_public

CA, AUTHORITY = "tsa-ca", "tsa"


def load(files: KeyFiles, room: KeyRoom, policy: str) -> TimestampSigner | None:
    """Opens the authority that stamps under `policy` (OID) with SM2 and SM3; None when this hub has no such authority.

    Raises ConfigError naming the file that is no key, or readable by others.
    """
    key = files.sm2(AUTHORITY)[1]
    if not key.exists():
        return None
    try:
        authority = load_signer(files.sm2(AUTHORITY), room)
        # Without the root: whoever verifies must bring it.
        chain = [_der(files, CA)]
    except sm.SmUnavailableError as error:
        raise ConfigError(f"{key}: {error}") from None
    except (OSError, ValueError, ChainError) as error:
        raise ConfigError(f"{key}: the timestamp authority's key cannot be read: {type(error).__name__}") from None
    counted = CountedKey(Sm2Key(authority.sign), Purpose.TIMESTAMP, SM2_WITH_SM3)
    return TimestampSigner.prepare(counted, authority.certificate, chain, policy, SM3)


def make(files: KeyFiles, room: KeyRoom, hub: str, now_us: int) -> None:
    """Makes what is absent where this machine can, the authority's key where `room` makes it. Without the root's key
    (it may have been taken off the machine) nothing is made.
    """
    key = files.sm2(AUTHORITY)[1]
    if key.exists() or not sm.available():
        return
    if not files.sm2(CA)[1].exists():
        if not files.sm2(ROOT)[1].exists():
            return
        SOFTWARE.make(files.sm2(CA)[1], Algorithm.SM2)
        root, ca_key = load_signer(files.sm2(ROOT), SOFTWARE), SOFTWARE.sm2(files.sm2(CA)[1])
        made = sm2_pki.make_tsa_ca(root, key_pair(ca_key), hub, now_us)
        write_public(files.sm2(CA)[0], certificate_pem(made.certificate))
    ca = load_signer(files.sm2(CA), SOFTWARE)
    # Its key comes last: that it is there says that all is there.
    passing = key.with_suffix(".next")
    room.make(passing, Algorithm.SM2)
    authority = sm2_pki.make_tsa(ca, key_pair(room.sm2(passing)), hub, now_us)
    write_public(files.sm2(AUTHORITY)[0], certificate_pem(authority.certificate))
    passing.replace(key)


def _der(files: KeyFiles, name: str) -> bytes:
    return pem_files.certificates(files.sm2(name)[0])[0].public_bytes(Encoding.DER)
