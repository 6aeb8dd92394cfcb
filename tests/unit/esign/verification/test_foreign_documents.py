"""Whole documents with signatures of other makers: pyHanko's forms, domestic ones, and OpenSSL as second judge."""

import io
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore

from services.esign.certification.domain import chain, pki
from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome, Sentence, Status, Step, Verdict
from services.esign.revisions.rendering import look
from services.esign.signing.domain import pades
from services.esign.verification.domain.sentences import verdict_words
from services.esign.verification.domain.verify import judge
from shuniu.kit.crypto import sm
from tests.support import documents as attack
from tests.support.esign import NOW_US, sealed, setting, small_pdf
from tests.support.foreign_cms import CONTENT, certificate, judged, key
from tests.support.lawful import forgeries
from tests.support.sm import sm_setting
from tests.support.sm_documents import seal as sm_seal
from tests.unit.esign.signing.test_foreign_signatures import ONE, ONE_BARE, ONE_WITH_MORE, in_pieces
from tests.unit.esign.signing.test_gm_signatures import attributes, gm

TRUST = Trust((setting().root.certificate,))
LATER_US = NOW_US + 60_000_000
_RESERVED = 6000


def step(verdict: Verdict, name: str) -> Step:
    return next(one for one in verdict.steps if one.step == name)


@cache
def signed_by_pyhanko(kind: str, subfilter: SigSeedSubFilter, *, pss: bool) -> bytes:
    secret = key(kind).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    store = SimpleCertificateStore()
    store.register(asn1_x509.Certificate.load(setting().ca.der))
    signer = signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(certificate(kind)),
        signing_key=asn1_keys.PrivateKeyInfo.load(secret),
        cert_registry=store,
        prefer_pss=pss,
    )
    metadata = signers.PdfSignatureMetadata(field_name="Signature1", md_algorithm="sha256", subfilter=subfilter)
    out = io.BytesIO()
    signers.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(small_pdf())), metadata, signer=signer, output=out)
    return out.getvalue()


@pytest.mark.parametrize("subfilter", [SigSeedSubFilter.PADES, SigSeedSubFilter.ADOBE_PKCS7_DETACHED])
@pytest.mark.parametrize(("kind", "pss"), [("p256", False), ("brainpool", False), ("rsa", False), ("rsa", True)])
def test_what_pyhanko_signs_is_intact_and_its_signer_certified(kind, pss, subfilter):
    """PAdES and adbe.pkcs7.detached, ECDSA, RSA and PSS; one byte of the page changed, and it is not."""
    pdf = signed_by_pyhanko(kind, subfilter, pss=pss)
    verdict = judge(pdf, trust=TRUST, now_us=LATER_US)
    reasons = [step(verdict, name).reason for name in ("coverage", "integrity", "signer", "chain")]
    assert reasons[1] in {"INTACT", "INTACT_UNNAMED"}
    assert (reasons[0], *reasons[2:]) == ("WHOLE_FILE", "SIGNER", "TRUSTED")
    changed = pdf.replace(b"/MediaBox [0 0 200 200]", b"/MediaBox [0 0 200 201]").replace(b"200 200]", b"200 201]", 1)
    assert changed != pdf
    assert step(judge(changed, trust=TRUST, now_us=LATER_US), "integrity").reason == "DIGEST"


def held(contents_of, seal: pades.SigningSeal) -> bytes:
    """A document whose /Contents holds what `contents_of` gives for the bytes around it."""
    pdf = pades.sign(small_pdf(), seal, NOW_US, token=_RESERVED)
    gap, after = (int(n) for n in re.search(rb"/ByteRange\[0 (\d+) (\d+) ", pdf).groups())  # type: ignore[union-attr]
    contents = contents_of(pdf[:gap] + pdf[after:])
    digits = contents.hex().encode().ljust(after - gap - 2, b"0")
    return pdf[: gap + 1] + digits + pdf[after - 1 :]


@pytest.mark.skipif(not sm.available(), reason="no SM2 on this machine")
def test_a_document_signed_by_gb_t_35275_is_valid_under_its_root():
    """GM/T 0010 content types, with and without attributes; a changed document is INVALID."""
    trust = Trust((chain.load(sm_setting().root.certificate),))
    for make in (lambda text: gm(attributes(digest=sm.sm3(text))), lambda text: gm(None, message=text)):
        pdf = held(make, sm_seal())
        verdict = judge(pdf, trust=trust, now_us=LATER_US)
        assert verdict.outcome is Outcome.VALID, verdict.steps
        assert judge(pdf.replace(b"200 200]", b"200 201]", 1), trust=trust, now_us=LATER_US).outcome is Outcome.INVALID
        stranger = judge(pdf, trust=TRUST, now_us=LATER_US)
        assert stranger.outcome is Outcome.INDETERMINATE
        assert step(stranger, "signer").zh.startswith("证书自称")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is absent: make test-deps")
# Not with attributes in pieces: OpenSSL verifies over the BER as it came, RFC 5652, 5.4, asks for the DER.
@pytest.mark.parametrize("signed", [ONE, ONE_WITH_MORE, ONE_BARE, in_pieces(ONE_BARE)], ids=range(4))
def test_openssl_agrees_on_the_forms_made_by_hand(signed: bytes, tmp_path: Path):
    """What is called intact here OpenSSL verifies too, and neither does so for other content."""
    (tmp_path / "cms.der").write_bytes(signed)
    (tmp_path / "root.pem").write_bytes(pki.certificate_pem(setting().root.certificate))
    command = "openssl cms -verify -binary -inform DER -in cms.der -content content -CAfile root.pem -purpose any"
    command += f" -attime {NOW_US // 1_000_000} -out /dev/null"
    for content, right in ((CONTENT, True), (CONTENT + b"!", False)):
        (tmp_path / "content").write_bytes(content)
        done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, timeout=30, check=False)
        assert (done.returncode == 0) is right, done.stderr.decode()
        assert (judged(signed, content).reason("integrity")[0] == "valid") is right


@pytest.mark.parametrize(
    ("make", "reason", "said"),
    [
        (lambda: forgeries.link_added(attack.foreign()), "LATER_REVISION", "没有人签名"),
        (
            lambda: attack.foreign_sign(forgeries.link_added(attack.foreign()), "Second"),
            "CHANGED_BETWEEN",
            "两次签名之间",
        ),
        (
            lambda: forgeries.link_added(attack.foreign_sign(forgeries.link_added(attack.foreign()), "Second")),
            "LATER_REVISION",
            "没有人签名",
        ),
        (lambda: attack.foreign_sign(attack.foreign(), "Second", box=(0, 0, 200, 200)), "FIELD_TOO_LARGE", "可能盖住"),
    ],
    ids=["after", "between", "between and after", "too large"],
)
def test_who_has_seen_a_change_is_said(make: Callable[[], bytes], reason: str, said: str) -> None:
    """A change after the last signature is signed by nobody; one before it is signed by the later signer and was not
    seen by the earlier; a later seal over the page has its own sentence. All are INDETERMINATE, in both languages.
    """
    found = judge(make(), trust=TRUST, now_us=attack.now_us(), look=look)
    changes = found.step("changes")
    assert (found.outcome, changes.status, changes.reason) == (Outcome.INDETERMINATE, Status.UNKNOWN, reason)
    told = verdict_words.explain(found)
    assert said in f"{told.verdict.zh}{told.cause.zh if told.cause else ''}"
    assert re.search(r"[（(]对象 \d+", changes.zh)
    assert ("没有人签名" in told.verdict.zh) == (reason == "LATER_REVISION")
    assert found.signatures[0].outcome is Outcome.INDETERMINATE
    if reason == "CHANGED_BETWEEN":
        assert found.signatures[-1].later == ()


def saved_with_nothing(pdf: bytes) -> bytes:
    writer, out = IncrementalPdfFileWriter(io.BytesIO(pdf)), io.BytesIO()
    writer.update_root()
    writer.write(out)
    return out.getvalue()


def test_an_empty_save_accuses_nobody_of_a_change() -> None:
    """A program wrote the catalogue as it was: where the certification forbids it the original is asked for, and nobody
    is said to have changed the content; where it does not, the document is VALID and the save is told.
    """
    forbidden = judge(saved_with_nothing(sealed()), trust=TRUST, now_us=attack.now_us(), look=look)
    assert (forbidden.outcome, forbidden.step("changes").reason) == (Outcome.INVALID, "SAVED_AGAIN")
    told = verdict_words.explain(forbidden)
    assert told.cause is not None
    assert "有人" not in f"{told.verdict.zh}{told.cause.zh}"
    assert told.advice.zh.endswith("或向出具单位索取。")
    approved = judge(saved_with_nothing(attack.foreign()), trust=TRUST, now_us=attack.now_us(), look=look)
    step = approved.step("changes")
    assert (step.status, step.reason, "没有增加任何内容" in step.zh) == (Status.VALID, "SAVED_WITH_NOTHING", True)
    assert approved.signatures[-1].later == (
        Sentence("文件被另存，没有增加内容", "the file was saved again with nothing added"),
    )


def test_what_was_changed_is_named_in_chinese_too() -> None:
    """Of a title that was changed the Chinese says as much as the English."""
    writer, out = IncrementalPdfFileWriter(io.BytesIO(sealed())), io.BytesIO()
    writer.set_info(
        writer.add_object(generic.DictionaryObject({generic.pdf_name("/Title"): generic.pdf_string("another")}))
    )
    writer.write(out)
    step = judge(out.getvalue(), trust=TRUST, now_us=attack.now_us(), look=look).step("changes")
    assert (step.status, "：" in step.zh, ":" in step.en) == (Status.INVALID, True, True)


def test_a_file_that_was_saved_again_is_told_so() -> None:
    """A program that writes the whole file anew leaves the signature beside its bytes: nobody need be a forger."""
    out = io.BytesIO()
    copy_into_new_writer(PdfFileReader(io.BytesIO(sealed()))).write(out)
    found = judge(out.getvalue(), trust=TRUST, now_us=attack.now_us())
    told = verdict_words.explain(found)
    assert found.outcome is Outcome.INVALID
    assert told.cause is not None
    assert "另存过" in told.cause.zh
    assert "另存的原件" in told.advice.zh
    assert "：" in found.step("coverage").zh
