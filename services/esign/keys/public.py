"""The keys and roots that others verify this hub by, from certificates and public keys: no private key is opened but
the ledger's, whose public half stands nowhere else. Commands read it, so little is imported.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.esign.certification.domain import pki
from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain.errors import EsignError
from services.esign.ledger.domain.note import NoteSigner, VerifierKey, parse_vkey
from shuniu.kit.crypto import pem_files, profile, sm
from shuniu.kit.process.config import ConfigError, HubSettings, secret, text, unusable

_ED25519_BYTES = 32
_SM2_ROOT, _SM2_SEAL_CA, _SM2_MAKER = "root", "seal-ca", "maker"


def ledger_name(hub: HubSettings) -> str:
    """Origin of the ledger's checkpoints (C2SP tlog-checkpoint): host-like, without scheme."""
    return f"{hub.trust_domain}/ledger"


def ledger_keys(hub: HubSettings, settings: EsignSettings) -> tuple[VerifierKey, ...]:
    """Every key that may have signed for this ledger, the present one first. Raises ConfigError."""
    files = KeyFiles(hub.data_dir)
    held = secret(files.ledger_key)
    if len(held) == _ED25519_BYTES:
        key = Ed25519PrivateKey.from_private_bytes(held)
    else:
        # Few hubs have a device, and what opens one takes its time to be imported.
        from shuniu.kit.crypto.key_files import KeyRoom

        room, _ = KeyRoom.of(settings.keys, settings.sm_keys)
        try:
            key = room.ed25519(files.ledger_key)
            return (NoteSigner.prepare(ledger_name(hub), key).verifier, *retired_ledger_keys(files))
        finally:
            room.close()
    return (NoteSigner.prepare(ledger_name(hub), key).verifier, *retired_ledger_keys(files))


def retired_ledger_keys(files: KeyFiles) -> tuple[VerifierKey, ...]:
    """Keys that signed for this ledger before. Raises ConfigError."""
    path = files.retired_ledger_keys
    if not path.exists():
        return ()
    try:
        return tuple(map(parse_vkey, text(path).split()))
    except EsignError:
        raise unusable(path, "不是日志的公钥", "is not verifier keys") from None


def sm_trust_pem(hub: HubSettings, settings: EsignSettings) -> bytes:
    """SM2 root, seal CAs and seal makers, PEM one after the other; empty where the hub has none. Raises ConfigError."""
    files, wanted = KeyFiles(hub.data_dir), settings.ses_sidecar
    if profile.of(hub.profile) is profile.SM:
        wanted = True
    present = all(path.exists() for name in (_SM2_SEAL_CA, _SM2_MAKER) for path in files.sm2(name))
    if wanted is False or (wanted is None and not (present and sm.available())):
        return b""
    if not present:
        raise ConfigError("[esign] ses_sidecar: the hub has no SM2 keys; run `shuniu init`")
    root, seal_ca, maker = (files.sm2(name)[0] for name in (_SM2_ROOT, _SM2_SEAL_CA, _SM2_MAKER))
    before = (path for path in (files.retired_sm2_seal_cas,) if path.exists())
    makers = (path for path in (files.retired_makers,) if path.exists())
    paths = (root, seal_ca, *before, maker, *makers)
    return b"".join(pki.certificate_pem(one) for path in paths for one in pem_files.certificates(path))
