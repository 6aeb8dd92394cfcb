"""Trust directories, and documents judged by them: what the command line and the client library share."""

from pathlib import Path

import pytest

from services.esign.certification.domain import pki
from services.esign.domain.verdict import Form, Outcome
from services.esign.verification import offline
from services.esign.verification.offline import Trusted, TrustError
from tests.support.esign import NOW_US, sealed, setting
from tests.support.witnesses import LOG, cosigner


def pem() -> bytes:
    return pki.certificate_pem(setting().root.certificate)


def test_each_file_has_its_meaning() -> None:
    """Roots, roots of timestamp authorities, keys of logs and witnesses by their names; others are passed over."""
    witness = cosigner(1)
    keys = f"{LOG.verifier.vkey}\n\n{witness.vkey}\n".encode()
    found = Trusted.of_files({"dir/root.pem": pem(), "tsa-root.pem": pem(), "log.vkey": keys, "README.md": b"\xff"})
    root = setting().root.certificate
    assert (found.trust.roots, found.trust.tsa_roots) == ((root,), (root,))
    assert [key.name for key in found.trust.log_keys] == [LOG.verifier.name]
    assert found.trust.policy is not None
    assert [key.name for key in found.trust.policy.witnesses] == ["w1.example"]
    assert found.certificates == (root,)


@pytest.mark.parametrize(
    ("name", "content"),
    [("root.pem", b"no"), ("log.vkey", b"no"), ("log.vkey", b"\xff"), ("seals.crl", b"no"), ("policy", b"log ?")],
)
def test_a_file_that_cannot_be_used_is_named(name: str, content: bytes) -> None:
    """Nothing is passed over in silence that somebody put there to be trusted, or not to be."""
    with pytest.raises(TrustError, match=name):
        Trusted.of_files({"root.pem": pem(), name: content})


def test_a_directory_is_read(tmp_path: Path) -> None:
    """A directory gives what its files give; no directory is an error, none at all is no trust."""
    (tmp_path / "root.pem").write_bytes(pem())
    (tmp_path / "folder").mkdir()
    assert Trusted.of(tmp_path) == Trusted.of_files({"root.pem": pem()})
    assert Trusted.of(None) == Trusted()
    with pytest.raises(TrustError):
        Trusted.of(tmp_path / "root.pem")


def test_documents_are_judged_by_their_kind() -> None:
    """A PDF as a PDF, an OFD as an OFD, anything else as unreadable; trust decides."""
    trusted = Trusted.of_files({"root.pem": pem()})
    good = offline.judged(sealed(), trusted, NOW_US)
    assert (good.outcome, good.form) == (Outcome.VALID, Form.PDF)
    assert offline.judged(sealed(), Trusted(), NOW_US).outcome is Outcome.INDETERMINATE
    assert offline.judged(sealed(), trusted, NOW_US, trust_any_signer=True).outcome is Outcome.INDETERMINATE
    broken = offline.judged(b"PK\x03\x04 OFD.xml", trusted, NOW_US)
    assert (broken.outcome is Outcome.VALID, broken.form) == (False, Form.OFD)
    assert offline.judged(b"hello", trusted, NOW_US).form is Form.UNREADABLE
