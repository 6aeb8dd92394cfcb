"""Domestic signatures inside a PDF: CMS by GB/T 35275 (GM/T 0010) with SM2, and seal signatures by GB/T 38540 in
/Contents.
"""

from functools import cache

import pytest

from services.esign.certification.domain import chain, sm2_chain, sm2_pki
from services.esign.certification.domain.sm2_pki import Sm2Signer, bit_string
from services.esign.domain import der, sm2
from services.esign.domain.cms.reader import OID_GM_SIGNED_DATA
from services.esign.domain.cms.signed_data import OID_GM_DATA
from services.esign.domain.digests import SM3
from services.esign.domain.findings import Findings
from services.esign.ses.domain import steps as seal_steps
from services.esign.ses.domain import values as ses
from services.esign.signing.domain import signer_steps
from services.esign.signing.domain.signature_kinds import Kind, kind_of
from services.esign.timestamps.domain import token as timestamp
from services.esign.verification.domain.stamped_time import Witnesses, judge_time
from shuniu.kit.crypto import sm
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID
from tests.support.foreign_cms import CONTENT, NULL, Judged, attribute, by_hand, judged
from tests.support.sm import eseal, sm_setting, trust
from tests.support.sm_documents import stamper
from tests.unit.esign.ses.test_ses import v1_seal

pytestmark = pytest.mark.skipif(not sm.available(), reason="no SM2 on this machine")

SPAN = "/ByteRange[0 100 200 900]"
HASH = sm.sm3(CONTENT)
SM3_IDENTIFIER = der.tlv(der.SEQUENCE, SM3.oid)
DATA, SIGNED_DATA = der.oid("1.2.840.113549.1.7.1"), der.oid("1.2.840.113549.1.7.2")
CONTENT_TYPE, MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.3"), der.oid("1.2.840.113549.1.9.4")
SM2_WITH_SM3, SM2_SIGN, SM2_CURVE, EC_KEY = (
    der.oid(dotted)
    for dotted in ("1.2.156.10197.1.501", "1.2.156.10197.1.301.1", "1.2.156.10197.1.301", "1.2.840.10045.2.1")
)


def algorithm(oid: bytes, parameters: bytes = b"") -> bytes:
    return der.tlv(der.SEQUENCE, oid, parameters)


def attributes(kind: bytes = OID_GM_DATA, digest: bytes = HASH) -> list[bytes]:
    return [attribute(CONTENT_TYPE, kind), attribute(MESSAGE_DIGEST, der.tlv(der.OCTET_STRING, digest))]


def raw(signature: bytes) -> bytes:
    """r and s side by side."""
    return b"".join(part.integer().to_bytes(32, "big") for part in der.parse(signature).children())


def gm(told: list[bytes] | None, **changes: object) -> bytes:
    """A CMS by GB/T 35275 of the SM2 seal of the test setting."""
    made = sm_setting()
    given: dict[str, object] = {
        "content_type": OID_GM_DATA,
        "kind": OID_GM_SIGNED_DATA,
        "digests": (SM3_IDENTIFIER,),
        "digest": SM3_IDENTIFIER,
        "algorithm": algorithm(SM2_SIGN),
        "signer": made.seal.certificate,
        "certificates": [made.seal.certificate, made.ca.certificate],
        "sign": made.seal.sign,
        "message": CONTENT,
    }
    return by_hand(told, **(given | changes))  # type: ignore[arg-type]


def found_by(contents: bytes, content: bytes = CONTENT, **options: object) -> Judged:
    """Judged under the SM2 root of the test setting; a seal by its makers."""
    root = chain.load(sm_setting().root.certificate)
    return judged(contents, content, **({"roots": [root], "sm": trust()} | options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "signed",
    [
        gm(attributes()),
        gm(None),
        gm(attributes(DATA)),
        gm(attributes(), content_type=DATA),
        gm(attributes(DATA), content_type=DATA, kind=SIGNED_DATA),
        gm(attributes(), algorithm=algorithm(SM2_WITH_SM3)),
        gm(attributes(), algorithm=algorithm(SM2_WITH_SM3, NULL)),
        gm(attributes(), algorithm=algorithm(SM2_CURVE)),
        gm(attributes(), algorithm=algorithm(EC_KEY, SM2_CURVE)),
        gm(attributes(), digest=algorithm(SM3.oid, NULL), digests=(algorithm(SM3.oid, NULL),)),
        gm(attributes(), sign=lambda text: raw(sm_setting().seal.sign(text))),
        gm(attributes(digest=sm.sm3(HASH)), content=HASH),
    ],
    ids=[
        "attributes", "none", "PKCS 7 content-type", "PKCS 7 data", "RFC 5652 throughout", "501", "501 with NULL", "301",
        "EC key", "SM3 with NULL", "r and s side by side", "digest inside",
    ],
)  # fmt: skip
def test_a_signature_by_gb_t_35275_is_judged_by_the_same_steps(signed: bytes) -> None:
    """Content types of their own or mixed, algorithm names as they are met, attributes or none."""
    found = found_by(signed + bytes(300))
    assert found.reason("integrity") == ("valid", "INTACT_UNNAMED")
    assert (found.reason("signer"), found.reason("chain")) == (("valid", "SIGNER"), ("valid", "TRUSTED"))
    assert found.steps["signer"].zh == f"签章单位：{ORGANISATION}"
    assert found_by(signed, CONTENT + b"!").reason("integrity")[0] == "invalid"


@pytest.mark.parametrize(
    "signed",
    [
        gm(None, message=HASH, content=HASH),
        gm(attributes(DATA, sm.sm3(HASH)), content=HASH),
        gm(attributes(digest=sm.sm3(HASH)), content=HASH, content_type=DATA),
    ],
    ids=["none", "PKCS 7 inside", "PKCS 7 outside"],
)
def test_a_digest_inside_is_a_document_only_where_the_signature_says_so(signed: bytes) -> None:
    """What an SM2 key signed as something else is not made a document by a name that nobody signed."""
    assert found_by(signed).reason("integrity") == ("unknown", "DIGEST_INSIDE")


def test_the_kind_of_a_domestic_signature_is_told_by_its_bytes() -> None:
    """Names in /SubFilter are not standardised and do not matter."""
    for subfilter in ("GM.sm2seal", "adbe.pkcs7.detached", ""):
        assert kind_of(gm(attributes()), subfilter) is Kind.GM_CMS
        assert kind_of(gm(attributes(), content_type=DATA), subfilter) is Kind.GM_CMS
        assert kind_of(sealed() + bytes(99), subfilter) is Kind.SES
        assert kind_of(eseal(), subfilter) is Kind.UNKNOWN


def test_changed_values_of_sm2_are_never_intact() -> None:
    """Every third byte of signature and attributes."""
    signed = gm(attributes())
    for at in range(len(signed) - 190, len(signed), 3):
        changed = bytearray(signed)
        changed[at] ^= 0x10
        assert found_by(bytes(changed)).steps["integrity"].status.value != "valid", at


def test_a_digest_of_another_kind_is_not_taken_for_sm2() -> None:
    """An SM2 key signs with SM3 only."""
    identifier = der.tlv(der.SEQUENCE, der.oid("2.16.840.1.101.3.4.2.1"))
    mixed = gm(None, digest=identifier, digests=(identifier,))
    assert found_by(mixed).reason("integrity") == ("unknown", "ALGORITHM")


@cache
def sealed(content: bytes = CONTENT) -> bytes:
    return ses.sign(eseal(), sm_setting().seal, sm.sm3(content), SPAN, NOW_US)


def test_a_seal_signature_in_the_file_is_judged_like_any_signature() -> None:
    """Integrity, signer and chain as of a CMS, the seal by the step `ses`, the time as its toSign states it."""
    found = found_by(sealed() + bytes(600))
    assert found.reason("integrity") == ("valid", "INTACT")
    assert (found.reason("signer"), found.reason("chain")) == (("unknown", "SIGNER_CLAIMED"), ("unknown", "ISSUER_NOT_TRUSTED"))  # fmt: skip
    assert found.reason("ses") == ("valid", "SES_VALID")
    assert found.opened is not None
    assert (found.opened.kind, found.opened.cms.signing_time_us) == (Kind.SES, NOW_US)
    assert found.opened.seal is not None
    assert found.opened.seal.seal.info.name == ORGANISATION


def test_certificates_between_come_with_the_trust_in_makers() -> None:
    """A seal signature holds no issuer's certificate: who trusts makers names the authorities between."""
    found = found_by(sealed())
    assert found.opened is not None
    steps = Findings(NOW_US, NOW_US)
    root = chain.load(sm_setting().root.certificate)
    others = (*found.opened.others, *seal_steps.between(trust()))
    path = signer_steps.path_of(steps, found.opened.signer, others, [root], trust_any_signer=False)
    assert path is not None
    assert [step.reason for step in steps.steps] == ["SIGNER", "TRUSTED"]
    timed = judge_time(found.opened.cms, path, (), Witnesses(found.opened.cms.signing_time_us, NOW_US))
    assert timed.step.reason == "STILL_VALID"


def v1_sealed() -> bytes:
    """GM/T 0031: a V1 seal and signature over CONTENT."""
    made = sm_setting()
    content = der.tlv(
        der.SEQUENCE,
        der.integer(1),
        v1_seal(),
        bit_string(der.tlv(0x17, b"260601040000Z")),
        bit_string(HASH),
        der.tlv(0x16, SPAN.encode()),
        der.tlv(der.OCTET_STRING, made.seal.certificate),
        sm2.OID_SM2_WITH_SM3,
    )
    return der.tlv(der.SEQUENCE, content, bit_string(made.seal.sign(content)))


def test_an_old_seal_signature_in_the_file_is_judged_too() -> None:
    """V1 by the same steps."""
    assert kind_of(v1_sealed()) is Kind.SES
    found = found_by(v1_sealed() + bytes(50))
    assert (found.reason("integrity"), found.reason("ses")) == (("valid", "INTACT"), ("valid", "SES_VALID"))


def test_a_seal_that_is_not_right_spoils_the_document() -> None:
    """Another document, changed bytes, a signer who is not in the seal's list, a maker whom nobody knows."""
    assert found_by(sealed(), CONTENT + b"!").reason("integrity") == ("invalid", "DIGEST")
    assert found_by(sealed(), CONTENT + b"!").reason("ses") == ("invalid", "SES_DIGEST")
    changed = bytearray(sealed())
    changed[-1] ^= 1
    assert found_by(bytes(changed)).reason("integrity")[0] == "invalid"
    made = sm_setting()
    key = sm.PrivateKey.generate()
    certificate = sm2_pki.issue_seal_certificate(made.ca, key.public.spki, ORGANISATION, SEAL_ID, NOW_US)
    taken = ses.sign(eseal(), Sm2Signer(certificate, key.public.spki, key.sign), HASH, SPAN, NOW_US)
    assert found_by(taken).reason("ses") == ("invalid", "SES_SIGNER_NOT_LISTED")
    unknown = found_by(sealed(), sm=trust(makers=()))
    assert (unknown.reason("integrity"), unknown.reason("ses")) == (("valid", "INTACT"), ("unknown", "SES_MAKER_UNKNOWN"))  # fmt: skip


def test_without_trust_in_makers_a_seal_is_unknown() -> None:
    """Whoever forgets to say whom he trusts gets no valid seal."""
    for sm_trust in (None, trust(verify=None)):
        found = found_by(sealed(), sm=sm_trust)
        assert (found.reason("integrity")[0], found.reason("ses")[0]) == ("valid", "unknown")


def test_no_changed_byte_of_a_seal_in_the_file_passes() -> None:
    """Every fifth byte: integrity or seal says so."""
    whole = sealed()
    for at in range(0, len(whole), 5):
        changed = bytearray(whole)
        changed[at] ^= 0x02
        steps = found_by(bytes(changed)).steps
        passed = [steps[name].status.value == "valid" for name in ("integrity", "ses") if name in steps]
        assert len(passed) < 2 or not all(passed), at


def test_a_timestamp_of_the_seal_signature_is_judged() -> None:
    """It is of the signature's value (GB/T 38540, 6.2): it proves the time, and another's does not."""
    plain = ses.read_signature(sealed())
    root = chain.load(sm_setting().root.certificate)
    chosen = trust(tsa_roots=(root,))

    def with_stamp_of(value: bytes) -> bytes:
        asked = timestamp.TimestampQuery(timestamp.imprint(SM3.of(value), SM3), wants_certificates=True)
        token = stamper().token(asked, 7, NOW_US)
        parts = [part.raw for part in der.parse(sealed()).children()]
        return der.tlv(der.SEQUENCE, *parts, der.tlv(0xA0, bit_string(token)))

    right = found_by(with_stamp_of(plain.signature), sm=chosen)
    assert (right.reason("integrity"), right.reason("ses")) == (("valid", "INTACT"), ("valid", "SES_VALID"))
    assert right.opened is not None
    path = (right.opened.signer, root)
    assert judge_time(right.opened.cms, path, [root], Witnesses(NOW_US, NOW_US)).step.reason == "TIME_STAMPED"
    assert found_by(with_stamp_of(b"else"), sm=chosen).reason("ses") == ("invalid", "SES_TIMESTAMP_OF_ANOTHER")
    assert found_by(with_stamp_of(plain.signature)).reason("ses") == ("unknown", "SES_TIMESTAMP_NOT_JUDGED")


def test_names_of_sm2_in_seals_are_those_that_are_met() -> None:
    """SM2 with SM3 by its other names; r and s side by side."""
    made = sm_setting()
    content, certificate, _algorithm, value = der.parse(sealed()).children()
    for oid, signature in ((SM2_SIGN, value.body[1:]), (SM2_CURVE, raw(made.seal.sign(content.raw)))):
        again = der.tlv(der.SEQUENCE, content.raw, certificate.raw, oid, bit_string(signature))
        found = found_by(again)
        assert (found.reason("integrity"), found.reason("ses")) == (("valid", "INTACT"), ("valid", "SES_VALID"))
    other = der.tlv(der.SEQUENCE, content.raw, certificate.raw, EC_KEY, bit_string(value.body[1:]))
    assert found_by(other).reason("ses") == ("unknown", "SES_ALGORITHM")


def test_sm2_certificates_need_no_key_usage() -> None:
    """Without the extension any use is allowed (RFC 5280, 4.2.1.3); one that forbids signing stays refused."""
    loaded = sm2_chain.load(sm_setting().seal.certificate)
    *fields, holder = der.parse(loaded.body).children()
    kept = [each.raw for each in holder.children()[0].children() if bytes.fromhex("0603551d0f") not in each.raw]
    body = der.tlv(der.SEQUENCE, *(each.raw for each in fields), der.tlv(0xA3, der.tlv(der.SEQUENCE, *kept)))
    bare = sm2_chain.load(der.tlv(der.SEQUENCE, body, sm2.ALGORITHM, bit_string(sm_setting().ca.sign(body))))
    assert chain.profile_of(bare.parsed).usage is None
    sm2_chain.check_signer(bare)
    forbidden = loaded.body.replace(bytes.fromhex("030206c0"), bytes.fromhex("03020106"), 1)
    other = der.tlv(der.SEQUENCE, forbidden, sm2.ALGORITHM, bit_string(sm_setting().ca.sign(forbidden)))
    with pytest.raises(chain.ChainError, match="not for signing"):
        sm2_chain.check_signer(sm2_chain.load(other))


def test_an_algorithm_with_null_is_read() -> None:
    """Some authorities write NULL where nothing should stand."""
    loaded = sm2_chain.load(sm_setting().seal.certificate)
    fields = [part.raw for part in der.parse(loaded.body).children()]
    fields[2] = algorithm(SM2_WITH_SM3, NULL)
    body = der.tlv(der.SEQUENCE, *fields)
    again = der.tlv(der.SEQUENCE, body, fields[2], bit_string(sm_setting().ca.sign(body)))
    certificate = sm2_chain.load(again)
    roots = [sm2_chain.load(sm_setting().root.certificate)]
    between = [sm2_chain.load(sm_setting().ca.certificate)]
    verify = trust().verify
    assert verify is not None
    assert len(sm2_chain.build(certificate, between, roots, verify)) == 3
