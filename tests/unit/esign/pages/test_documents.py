"""Certificates, QR codes, seals and layout."""

import dataclasses
import shutil
import subprocess
from datetime import date

import numpy as np
import pytest
import zxingcpp

from services.esign.certification.domain.holders import SealKind
from services.esign.domain.errors import (
    CertificateStateError,
    CharacterNotCoveredError,
    DocumentUnfitError,
    QrMalformedError,
    SealStateError,
)
from services.esign.pages import layout
from services.esign.pages.domain import certificates, qr
from services.esign.seals.domain import life as seals
from services.esign.signing.domain import pades
from tests.support.esign import NOW_US, certificate_data, page, setting, small_pdf

KEYS = {setting().qr_signer.key_id: setting().qr_signer.key.public_key()}


def test_a_qr_code_is_read_back_and_checked_offline():
    """The printed code, decoded from its picture, verifies with the public key alone and fits its data only."""
    data = certificate_data()
    content = setting().qr_signer.url(data)
    assert content.startswith("https://hub.nmg.example/v#")
    assert len(content.partition("#")[2]) <= 150
    image = zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.QRCode).to_image(scale=4, add_quiet_zones=True)
    text = zxingcpp.read_barcode(np.asarray(image)).text
    found = qr.read(text, KEYS)
    assert (found.number, found.issued_on) == (data.number, data.issued_on)
    assert found.matches(data)
    assert not found.matches(certificate_data(name="别人"))
    assert qr.read(text.partition("#")[2], KEYS) == found


def test_no_changed_qr_code_is_read():
    """Every character matters, spelling included."""
    content = setting().qr_signer.url(certificate_data())
    start = content.index("#") + 1
    for at in range(start, len(content)):
        other = "A" if content[at] != "A" else "B"
        with pytest.raises(QrMalformedError):
            qr.read(content[:at] + other + content[at + 1 :], KEYS)


@pytest.mark.parametrize("content", ["", "#", "https://x/v#" + "A" * 139, "A" * 5000, "汉" * 140, "=" * 140])
def test_other_codes_are_refused_by_name(content):
    """Nonsense is QR_MALFORMED; a good code of an unknown key says so."""
    with pytest.raises(QrMalformedError) as caught:
        qr.read(content, KEYS)
    assert caught.value.reason == "QR_MALFORMED"
    with pytest.raises(QrMalformedError) as caught:
        qr.read(setting().qr_signer.url(certificate_data()), {})
    assert caught.value.reason == "QR_KEY_UNKNOWN"


def test_the_picture_in_the_document_is_the_code(tmp_path):
    """Drawn by another engine, the page shows the code that was put in."""
    if shutil.which("mutool") is None:
        pytest.skip("mutool is absent: make test-deps")
    (tmp_path / "page.pdf").write_bytes(page())
    subprocess.run(
        ["mutool", "draw", "-q", "-r", "150", "-c", "gray", "-o", "page.pgm", "page.pdf"],
        cwd=tmp_path, check=True, timeout=60, capture_output=True,
    )  # fmt: skip
    _, size, _, pixels = (tmp_path / "page.pgm").read_bytes().split(b"\n", 3)
    width, height = (int(n) for n in size.split())
    image = np.frombuffer(pixels, np.uint8).reshape(height, width)
    found = qr.read(zxingcpp.read_barcode(image).text, KEYS)
    assert found.matches(certificate_data())


def test_canonical_data_has_one_form():
    """Order of the facts does not matter, every value does."""
    data = certificate_data()
    shuffled = dataclasses.replace(data, facts=dict(reversed(data.facts.items())))
    assert certificates.canonical(shuffled) == certificates.canonical(data)
    assert certificates.digest(dataclasses.replace(data, issued_on=date(2026, 6, 2))) != certificates.digest(data)
    assert certificates.commitment(data, bytes(16)) != certificates.commitment(data, bytes(15) + b"1")


def test_rare_characters_of_names_are_laid_out():
    """Names with characters of the extensions are set, not refused."""
    layout.require_coverage([("name", "𬭎㛃䶮𬱖𠅤𪤗𫍽㑇犇龘·Aynur ʻÉ")])
    assert b"NotoSerifSC" in page()


def test_a_character_the_font_lacks_is_named_before_anything_is_signed():
    """Never an empty box in somebody's name: the error names the characters and where they are."""
    with pytest.raises(CharacterNotCoveredError) as caught:
        layout.typeset_here(certificate_data(name="张𰻝😀"), "h", "https://h/v#x", NOW_US)
    assert caught.value.fields == {"characters": "😀𰻝" if "😀" < "𰻝" else "𰻝😀", "names": "name"}


@pytest.mark.parametrize(
    "changes",
    [
        {"template": "other"},
        {"number": "lower"},
        {"number": "N" * 33},
        {"facts": {"name": "张三"}},
        {"facts": {"name": "张三", "id_type": "x", "id_number": "1", "extra": "y"}},
        {"facts": {"name": "张三", "id_type": "x", "id_number": "1", "from": "2006"}},
        {"facts": {"name": "张\n三", "id_type": "x", "id_number": "1"}},
        {"facts": {"name": "张\u202e三", "id_type": "x", "id_number": "1"}},
        {"facts": {"name": "张" * 81, "id_type": "x", "id_number": "1"}},
        {"issuer": " "},
    ],
)
def test_data_that_does_not_fit_the_template_is_refused(changes):
    """Missing, unknown, overlong and unprintable facts have a typed error."""
    with pytest.raises(DocumentUnfitError):
        certificates.check(dataclasses.replace(certificate_data(), **changes))


def test_the_longest_facts_still_fit_one_page():
    """What the rules accept the page holds; markup in a fact is text."""
    facts = {"name": "#strong[宽]" + "宽" * 69, "id_type": "宽" * 26, "id_number": "#" * 18, "purpose": "宽" * 50}
    data = dataclasses.replace(certificate_data(), facts=facts, issuer="宽" * 30)
    assert layout.typeset_here(data, "h", "https://h/v#x", NOW_US).startswith(b"%PDF-1.7")
    with pytest.raises(DocumentUnfitError) as caught:
        certificates.check(dataclasses.replace(data, facts={**facts, "sex": "宽宽"}))
    assert caught.value.reason == "FACTS_TOO_LONG"


def test_a_document_that_already_has_a_form_is_not_sealed():
    """A second seal, or somebody's form, needs rules that do not exist yet: typed refusal."""
    signed = pades.sign(small_pdf(), setting().seal, NOW_US)
    for pdf, reason in ((signed, "FORM_PRESENT"), (b"not a pdf", "NOT_A_PDF"), (small_pdf() + b"x", "STRAY_BYTES")):
        with pytest.raises(DocumentUnfitError) as caught:
            pades.sign(pdf, setting().seal, NOW_US)
        assert caught.value.reason == reason


def test_only_an_active_seal_of_its_owner_signs():
    """State, owner and time are checked in one place."""
    seal = seals.Seal("S", "150100", "印", seals.SealState.ACTIVE, 10, 20)
    seals.may_sign(seal, "150100", 15)
    for changed, owner, at in (
        (seal, "150200", 15),
        (seal, "150100", 21),
        (dataclasses.replace(seal, state=seals.SealState.SUSPENDED), "150100", 15),
        (dataclasses.replace(seal, state=seals.SealState.REVOKED), "150100", 15),
    ):
        with pytest.raises(SealStateError):
            seals.may_sign(changed, owner, at)


def test_a_persons_seal_signs_only_where_it_is_asked_for():
    """Its owner is the platform it was applied through, which signs nothing of its own with it."""
    seal = seals.Seal("S", "150100", "", seals.SealState.ACTIVE, 10, 20, SealKind.PERSON, "p")
    seals.may_sign(seal, "150100", 15, SealKind.PERSON)
    for wanted, kind in ((seal, SealKind.ORGANISATION), (dataclasses.replace(seal, owner="x"), seal.kind)):
        with pytest.raises(SealStateError) as caught:
            seals.may_sign(wanted, "150100", 15, kind)
        assert caught.value.reason in {"SEAL_KIND", "SEAL_NOT_YOURS"}


def test_revocation_is_for_good():
    """No way leads out of REVOKED but to a worse revocation, and a certificate is revoked once."""
    for action in set(seals.Action) - {seals.Action.REVOKE}:
        with pytest.raises(SealStateError):
            seals.move(seals.SealState.REVOKED, action)
    assert seals.move(seals.SealState.ACTIVE, seals.Action.SUSPEND) is seals.SealState.SUSPENDED
    with pytest.raises(CertificateStateError):
        certificates.revoke(certificates.revoke(certificates.CertificateState.VALID))
