"""The roots, lists and logs that a verifier trusts."""

from dataclasses import dataclass

from cryptography import x509

from services.esign.ledger.domain.note import VerifierKey
from services.esign.ledger.domain.witness import Policy


@dataclass(frozen=True, slots=True)
class Trust:
    """Roots that may vouch for signers, keys of ledgers, and which witnesses must have cosigned."""

    roots: tuple[x509.Certificate, ...] = ()
    log_keys: tuple[VerifierKey, ...] = ()
    policy: Policy | None = None
    tsa_roots: tuple[x509.Certificate, ...] = ()
    """Roots that may vouch for timestamp authorities only; `roots` vouch for them too."""
    crls: tuple[bytes, ...] = ()
    """CRLs (DER) that the verifier has, beside those in the document."""
    crl_names: tuple[str, ...] = ()
    """The names of their files, in the same order, for people."""
