"""What the verdict promises: VALID only for what is, and never after a change."""

import base64
import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from services.esign.certification.domain import pki
from services.esign.certification.domain.trust import Trust
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.verdict import STEPS, Outcome, Status
from services.esign.ledger.domain import ledger, note, tiles, tree, witness
from services.esign.pages.domain.certificates import CertificateState
from services.esign.seals.domain.life import SealState
from services.esign.signing.domain import pades
from services.esign.verification.domain import verify
from services.esign.verification.domain.sentences import verdict_words
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID, page, sealed, setting, small_pdf
from tests.support.verdicts import judged

LATER_US = NOW_US + 60_000_000
YEAR_US = 365 * 86_400 * 1_000_000
LOG = note.NoteSigner.prepare("hub.example/ledger", Ed25519PrivateKey.generate())
TRUST = Trust((setting().root.certificate,), (LOG.verifier,))


def small() -> bytes:
    return pades.sign(small_pdf(), setting().seal, NOW_US)


def judge(pdf, **options):
    return judged(pdf, **{"trust": TRUST, "now_us": LATER_US, **options})


def step(verdict, name):
    return next(s for s in verdict.steps if s.step == name)


def receipt_of(pdf: bytes, certificate: bytes | None = None, time_us: int = NOW_US, signer=LOG) -> str:
    entry = ledger.encode(ledger.sealed_entry(pdf, SEAL_ID, certificate or setting().certificate, bytes(32), time_us))
    edge = tiles.Edge()
    edge.append([tree.leaf_hash(entry)], lambda name, data: None)
    checkpoint = ledger.Checkpoint(signer.verifier.name, 1, edge.root())
    return ledger.Receipt(entry, 0, (), ledger.sign_checkpoint(checkpoint, signer)).text


@pytest.mark.parametrize("pdf", [sealed(), small(), pades.sign(small_pdf(xref_stream=True), setting().seal, NOW_US)],
                         ids=["certificate", "small", "xref-stream"])  # fmt: skip
def test_what_we_seal_is_valid_offline(pdf):
    """A sealed document and its root are enough; what cannot be asked offline is not_checked and lowers nothing."""
    verdict = judge(pdf)
    assert verdict.outcome is Outcome.VALID
    assert tuple(s.step for s in verdict.steps) == STEPS
    assert {s.step for s in verdict.steps if s.status is Status.NOT_CHECKED} == {
        "seal_then", "seal_now", "document", "ledger", "ses"
    }  # fmt: skip
    assert verdict.as_json()["as_of"] == "2026-06-01T04:00:00Z"


def test_a_receipt_makes_ledger_and_seal_valid():
    """With the receipt beside it, the log vouches for document, seal and time."""
    verdict = judge(sealed(), receipt=receipt_of(sealed()))
    assert verdict.outcome is Outcome.VALID
    assert [step(verdict, s).reason for s in ("ledger", "seal_then", "time")] == [
        "LOGGED",
        "SEAL_LOGGED",
        "TIME_LOGGED",
    ]


def test_no_flipped_byte_of_a_small_signed_file_is_valid():
    """Every byte, in one changing bit and in the bit that swaps letter cases."""
    pdf = small()
    assert judge(pdf).outcome is Outcome.VALID
    for at in range(len(pdf)):
        for mask in {1 << at % 8, 0x20}:
            changed = bytearray(pdf)
            changed[at] ^= mask
            assert judge(bytes(changed)).outcome is not Outcome.VALID, (at, mask)


def test_no_shortened_or_lengthened_file_is_valid():
    """Cutting and adding at the end are changes too."""
    pdf = small()
    for cut in range(1, 400, 7):
        assert judge(pdf[:-cut]).outcome is not Outcome.VALID
    for more in (b"%", b"%%EOF\n"):
        assert judge(pdf + more).outcome is Outcome.INVALID
    for more in (b"\n", b" ", b"\0"):
        assert judge(pdf + more).outcome is Outcome.INDETERMINATE


def test_an_incremental_update_after_sealing_is_invalid():
    """The certification forbids every later change (incremental-saving and shadow attacks)."""
    pdf = sealed()
    again = pades.sign(small_pdf(), setting().seal, NOW_US)
    assert judge(pdf + again).outcome is Outcome.INVALID
    previous = int(pdf[pdf.rindex(b"startxref") + 10 :].split()[0])
    root = pdf[pdf.rindex(b"/Root ") :].split(b" ")[1]
    body = b"1 0 obj\n<</Type/Pages/Count 1/Kids[10 0 R]/Rotate 90>>\nendobj\n"
    xref = b"xref\n1 1\n%010d 00000 n \ntrailer\n<</Size 30/Root %b 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (
        len(pdf), root, previous, len(pdf) + len(body)
    )  # fmt: skip
    verdict = judge(pdf + body + xref)
    assert (verdict.outcome, step(verdict, "changes").reason) == (Outcome.INVALID, "CHANGED")


def test_the_gap_holds_nothing_but_the_signature():
    """A ByteRange that leaves out more (wrapping attacks) is refused although its digest would be right."""
    pdf = sealed()
    gap_at = pdf.index(b"/ByteRange[0 ") + 13
    start = int(pdf[gap_at:].split(b" ")[0])
    changed = pdf.replace(b"/ByteRange[0 %d " % start, b"/ByteRange[0 %d " % (start - 9), 1)
    verdict = judge(changed)
    assert (verdict.outcome, step(verdict, "coverage").reason) == (Outcome.INVALID, "BYTE_RANGE")


def before_table(more):
    """A document with bytes more before its cross-reference table, which startxref follows."""
    pdf = small_pdf()
    at = pdf.rindex(b"xref\n0 ")
    return pdf[:at] + more + pdf[at:].replace(b"startxref\n%d" % at, b"startxref\n%d" % (at + len(more)))


@pytest.mark.parametrize(
    ("pdf", "reason"),
    [
        (small_pdf().replace(b"/Root 1 0 R>>", b"/Root 1 0 R/XRefStm 9>>"), "XREF"),
        (small_pdf(page_entries=b"/Type/Page"), "DUPLICATE_KEY"),
        (before_table(b"2 0 obj\nnull\nendobj\n"), "DUPLICATE_OBJECT"),
        (before_table(b"9 0 obj\nnull\nendobj\n"), "UNLISTED_OBJECT"),
        (before_table(b"stray\n"), "STRAY_BYTES"),
        (before_table(b"% 9 0 obj\n"), "STRAY_BYTES"),
        (small_pdf(page_entries=b"/A" + b"[" * 60 + b"]" * 60), "TOO_DEEP"),
        (b" " + small_pdf(), "HEADER_BEHIND"),
        (b"", "EMPTY_FILE"),
        (b"no", "NOT_A_PDF"),
    ],
)
def test_a_file_with_two_readings_is_not_sealed(pdf, reason):
    """Each trick that makes two readers see two documents has its own reason, and no verdict on it is VALID."""
    with pytest.raises(DocumentUnfitError) as refused:
        pades.sign(pdf, setting().seal, NOW_US)
    assert refused.value.reason == reason
    assert judge(pdf).outcome is not Outcome.VALID


def test_a_document_with_a_script_is_neither_sealed_nor_valid(monkeypatch):
    """Scripts change what is shown after signing; a name written with escapes is found too."""
    pdf = small_pdf(page_entries=b"/AA<</O<</S/J#61vaScript/JS(1)>>>>")
    with pytest.raises(DocumentUnfitError, match="ACTIVE_CONTENT"):
        pades.sign(pdf, setting().seal, NOW_US)
    monkeypatch.setattr(pades.shadow, "refuse", lambda document: None)
    verdict = judge(pades.sign(pdf, setting().seal, NOW_US))
    assert (verdict.outcome, verdict.steps[0].reason) == (Outcome.INDETERMINATE, "ACTIVE_CONTENT")


def test_an_unsigned_document_is_invalid():
    """No signature is a clear answer, not an unknown one."""
    verdict = judge(page())
    assert (verdict.outcome, step(verdict, "coverage").reason) == (Outcome.INVALID, "NO_SIGNATURE")


def test_an_unknown_issuer_is_indeterminate_and_never_valid_by_option():
    """Without its root a document is INDETERMINATE; --trust-any-signer judges the rest and still does not say VALID."""
    stranger = judged(sealed(), trust=Trust(), now_us=LATER_US)
    assert (stranger.outcome, step(stranger, "chain").reason) == (Outcome.INDETERMINATE, "NO_ROOTS")
    elsewhere = Trust((pki.make_root("某地枢纽", NOW_US).certificate,))
    stranger = judged(sealed(), trust=elsewhere, now_us=LATER_US)
    assert (stranger.outcome, step(stranger, "chain").reason) == (Outcome.INDETERMINATE, "ISSUER_NOT_TRUSTED")
    lenient = judged(sealed(), trust=Trust(), now_us=LATER_US, trust_any_signer=True)
    assert (lenient.outcome, step(lenient, "time").status) == (Outcome.INDETERMINATE, Status.VALID)
    assert judge(sealed(), trust_any_signer=True).outcome is Outcome.INDETERMINATE


def test_a_forger_with_the_same_names_is_not_trusted():
    """Same subject, same issuer name, other keys."""
    root = pki.make_root("内蒙古枢纽", NOW_US)
    ca = pki.make_seal_ca(root, "内蒙古枢纽", NOW_US)
    key = ec.generate_private_key(ec.SECP256R1())
    der = pki.issue_seal_certificate(ca, key.public_key(), ORGANISATION, SEAL_ID, NOW_US).public_bytes(Encoding.DER)
    forged = pades.sign(page(), pades.SigningSeal.prepare(cms.P256Key(key), der, [ca.der], ORGANISATION), NOW_US)
    assert judge(forged).outcome is Outcome.INDETERMINATE


def test_a_certificate_of_a_seal_cannot_issue_others():
    """A seal's holder is no authority: a path through an end certificate is refused."""
    fake = pki.Authority(setting().key, _certificate(), ())
    key = ec.generate_private_key(ec.SECP256R1())
    der = pki.issue_seal_certificate(fake, key.public_key(), "冒充单位", "X", NOW_US).public_bytes(Encoding.DER)
    chain = [setting().certificate, setting().ca.der]
    forged = pades.sign(page(), pades.SigningSeal.prepare(cms.P256Key(key), der, chain, "冒充单位"), NOW_US)
    verdict = judge(forged)
    assert verdict.outcome is not Outcome.VALID
    assert step(verdict, "chain").status is not Status.VALID


def _certificate():
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(setting().certificate)


def test_the_stated_time_is_judged():
    """Ahead of the clock: unknown, for the clock may be wrong. Before the certificate: invalid. Certificate expired and
    nothing proves the time: unknown.
    """
    ahead = judge(sealed(), now_us=NOW_US - 3_600_000_000)
    assert (ahead.outcome, step(ahead, "time").reason) == (Outcome.INDETERMINATE, "TIME_IN_FUTURE")
    early = pades.sign(page(), setting().seal, NOW_US - 3_600_000_000)
    assert step(judge(early), "time").reason == "OUTSIDE_VALIDITY"
    old = judge(sealed(), now_us=NOW_US + 3 * YEAR_US)
    assert (old.outcome, step(old, "time").reason) == (Outcome.INDETERMINATE, "TIME_NOT_PROVEN")
    proven = judge(sealed(), now_us=NOW_US + 3 * YEAR_US, receipt=receipt_of(sealed()))
    assert proven.outcome is Outcome.VALID


def test_a_wrong_receipt_accuses_nobody_and_proves_nothing():
    """Of another document or unreadable: INDETERMINATE, and the clerk hears that the receipt is the wrong one. Of this
    document and false (another certificate, another time, a proof that fails): INVALID. Never VALID, whoever demands it.
    """
    stranger = note.NoteSigner.prepare("hub.example/ledger", Ed25519PrivateKey.generate())
    for receipt, outcome in (
        (receipt_of(page()), Outcome.INDETERMINATE),
        (receipt_of(sealed(), certificate=b"other"), Outcome.INVALID),
        (receipt_of(sealed(), signer=stranger), Outcome.INDETERMINATE),
        (receipt_of(sealed(), time_us=NOW_US + 2 * 3_600_000_000), Outcome.INVALID),
        (broken_proof(receipt_of(sealed())), Outcome.INVALID),
        (broken_proof(receipt_of(page())), Outcome.INDETERMINATE),
        ("nonsense", Outcome.INDETERMINATE),
        ("", Outcome.INDETERMINATE),
    ):
        for policy in (None, witness.Policy.k_of_n([], 0)):
            trust = dataclasses.replace(TRUST, policy=policy)
            found = judge(sealed(), receipt=receipt, trust=trust, now_us=NOW_US + 9 * 3_600_000_000)
            assert found.outcome is outcome
            told = verdict_words.explain(found)
            if step(found, "ledger").reason in {"RECEIPT_OF_ANOTHER", "RECEIPT"} and outcome is Outcome.INDETERMINATE:
                assert "回执拿错了或读不了" in told.verdict.zh
                assert "本身未见问题" in told.verdict.zh
                assert "不附回执重新核验" in told.advice.zh
            if outcome is Outcome.INVALID:
                assert "不能接受" in told.verdict.zh
    # What is wrong with the document itself is said first, and nothing good of it.
    spoiled = judge(sealed() + b"\n%more", receipt=receipt_of(page()))
    assert (spoiled.outcome, "未见问题" in verdict_words.explain(spoiled).verdict.zh) == (Outcome.INVALID, False)


def broken_proof(receipt: str) -> str:
    """With one more hash in its path."""
    head, _, checkpoint = receipt.partition("\n\n")
    return f"{head}\n{base64.b64encode(bytes(32)).decode()}\n\n{checkpoint}"


def test_what_was_appended_is_in_no_signature():
    """Bytes behind the last version: the verdict, the step coverage and each signature's finding say the same."""
    for more, count, outcome in ((b"\n%more", 6, Outcome.INVALID), (b"\n", 1, Outcome.INDETERMINATE)):
        found = judge(sealed() + more)
        (one,) = found.signatures
        assert (found.outcome, one.outcome) == (outcome, outcome)
        assert step(found, "coverage").reason == "REVISION"
        assert "不包括末尾追加" in step(found, "coverage").zh
        assert "整个文件" not in one.covers.zh
        assert f"追加 {count} 字节" in one.later[0].zh


def test_what_is_said_of_seal_data_was_looked_at():
    """Without a seal signature: inside and beside were looked at; of a file that was not read nothing is said."""
    assert "也没有附上" in step(judge(sealed()), "ses").zh
    assert step(judge(small_pdf()), "ses").reason == "NO_SES"
    for data in (b"", b"%PDF-1.7", b"\xff\xd8\xff"):
        unread = step(judge(data), "ses")
        assert (unread.status, unread.reason, "没有查看" in unread.zh) == (Status.NOT_CHECKED, "SES_UNSEEN", True)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "0 字节"), (b"\xff\xd8\xff" + bytes(2000), "开头不是 PDF"), (small_pdf()[:-300], "不完整")],
)
def test_chinese_readers_learn_why_a_file_cannot_be_read(data, said):
    """The step's Chinese names what its English names."""
    assert said in step(judge(data), "parse").zh


def test_the_register_decides_online():
    """Online a revoked document is INVALID, an unregistered one INDETERMINATE, a seal revoked later leaves earlier documents."""
    fingerprint = ledger.sealed_entry(b"", "", setting().certificate, b"", 0).certificate_sha256
    good = verify.Known(CertificateState.VALID, SealState.ACTIVE, SealState.ACTIVE, fingerprint)
    receipt = receipt_of(sealed())
    for changes, options, outcome in (
        ({}, {"receipt": receipt}, Outcome.VALID),
        ({}, {}, Outcome.INDETERMINATE),
        ({"document": CertificateState.REVOKED}, {"receipt": receipt}, Outcome.INVALID),
        ({"document": None}, {"receipt": receipt}, Outcome.INDETERMINATE),
        ({"seal_then": SealState.SUSPENDED}, {"receipt": receipt}, Outcome.INVALID),
        ({"seal_now": SealState.REVOKED}, {"receipt": receipt}, Outcome.VALID),
        ({"seal_now": SealState.REVOKED}, {}, Outcome.INDETERMINATE),
        ({"certificate_sha256": "00" * 32}, {"receipt": receipt}, Outcome.INDETERMINATE),
    ):
        assert judge(sealed(), known=dataclasses.replace(good, **changes), **options).outcome is outcome, (
            changes,
            options,
        )


def test_a_seal_void_at_signing_has_no_good_present() -> None:
    """A seal that counted for nothing when it signed is not said to have ended after it signed, whatever the log took
    in: how it stands now is not asked, as by hash and number.
    """
    fingerprint = ledger.sealed_entry(b"", "", setting().certificate, b"", 0).certificate_sha256
    for then in (SealState.REVOKED, SealState.SUSPENDED):
        stolen = verify.Known(CertificateState.VALID, then, SealState.REVOKED, fingerprint)
        found = judge(sealed(), known=stolen, receipt=receipt_of(sealed()))
        assert (found.outcome, step(found, "seal_then").reason) == (Outcome.INVALID, f"SEAL_{then}")
        assert (step(found, "seal_now").status, step(found, "seal_now").reason) == (Status.NOT_CHECKED, "NOT_REACHED")
    later = verify.Known(CertificateState.VALID, SealState.ACTIVE, SealState.REVOKED, fingerprint)
    found = judge(sealed(), known=later, receipt=receipt_of(sealed()))
    assert (found.outcome, step(found, "seal_now").reason) == (Outcome.VALID, "SEAL_REVOKED_SINCE")


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_mangled_file_is_valid_or_crashes(data):
    """Pieces cut, doubled, moved and overwritten: always a verdict, never VALID."""
    pdf = small()
    a, b = sorted((data.draw(st.integers(0, len(pdf))), data.draw(st.integers(0, len(pdf)))))
    filler = data.draw(
        st.one_of(st.binary(max_size=40), st.sampled_from([pdf[a:b], pdf[b:], b"endobj\n", b"<<", b"xref\n"]))
    )
    changed = pdf[:a] + filler + pdf[b:]
    if changed != pdf:
        assert judge(changed).outcome is not Outcome.VALID


@given(st.binary(max_size=300))
def test_any_bytes_get_a_verdict(data):
    """Never an exception, never VALID; what is no PDF is not called forged."""
    verdict = judge(data)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert not verdict.readable or b"%PDF-" in data
    assert judge(b"%PDF-1.7\n" + data).outcome is not Outcome.VALID


def flate_bomb() -> bytes:
    import zlib

    body = zlib.compress(bytes(200 * 1024 * 1024), 9)
    return (
        b"%%PDF-1.7\n1 0 obj\n<</Type/XRef/Size 2/W[1 1 1]/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream\nendobj\nstartxref\n9\n%%%%EOF\n"
        % (len(body), body)
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("filler", "reason"),
    [
        (b"[" * 10_000_000, "TOO_DEEP"),
        (b"(" * 10_000_000, "STRING_TOO_LONG"),
        (b"(" + b"\\a" * 5_000_000, "STRING_TOO_LONG"),
        (b"[" + b"1 " * 5_000_000, "TOO_MANY_VALUES"),
        (b"[" + (b"[" + b"1 " * 90_000 + b"]") * 40, "TOO_MANY_VALUES"),
        (b"<<" * 10_000_000, "TOO_DEEP"),
        (b"<" + b"0" * 10_000_000, "SYNTAX"),
        (b" " * 10_000_000, "SYNTAX"),
        (b"9" * 10_000_000, "SYNTAX"),
        (b"%\n" * 5_000_000, "TOO_MANY_VALUES"),
        (b"[" + b"(\\a)" * 90_000 + b"]", "STARTXREF"),
        (bytes(25 * 1024 * 1024), "TOO_LARGE"),
    ],
)
def test_hostile_files_get_a_verdict_in_bounded_work(filler, reason):
    """Nesting, strings, arrays and sizes beyond reason are refused by name, long before they cost time or memory; a
    limit of the reader says nothing of who made the file.
    """
    verdict = judge(b"%PDF-1.7\n1 0 obj\n" + filler + b"\nstartxref\n9\n%%EOF\n")
    assert (verdict.outcome, verdict.steps[0].reason) == (Outcome.INDETERMINATE, reason)


def test_a_compression_bomb_is_not_expanded():
    """A table that would inflate to 200 MB is refused at the limit."""
    assert judge(flate_bomb()).steps[0].reason == "EXPANSION"


def test_objects_and_revisions_are_bounded():
    """Three hundred thousand objects, a thousand revisions: refused by count."""
    many = b"xref\n0 300000\n" + b"0000000000 65535 f \n" * 300_000 + b"trailer\n<</Size 300000/Root 1 0 R>>\n"
    assert judge(b"%PDF-1.7\n" + many + b"startxref\n9\n%%EOF\n").steps[0].reason == "TOO_MANY_OBJECTS"
    pdf = bytearray(small_pdf())
    for _ in range(1000):
        previous = int(bytes(pdf[pdf.rindex(b"startxref") + 10 :]).split()[0])
        at = len(pdf)
        pdf += b"xref\n0 0\ntrailer\n<</Size 4/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (previous, at)
    assert judge(bytes(pdf)).steps[0].reason == "TOO_MANY_REVISIONS"
