"""Signatures of other makers: each lawful form is read and judged, weak ones are said to be weak, wrong ones are wrong."""

import shutil
from hashlib import sha1, sha256, sha512

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, padding
from hypothesis import given, settings
from hypothesis import strategies as st

from services.esign.certification.domain.validation_data import NOTHING
from services.esign.domain import der
from services.esign.domain.cms import ber
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.cms.reader import OID_SIGNING_CERTIFICATE
from services.esign.domain.cms.signature_value import SHA1, SHA512
from services.esign.signing.domain.signature_kinds import Kind, kind_of
from tests.support.esign import NOW_US, setting
from tests.support.foreign_cms import (
    CONTENT,
    NULL,
    Held,
    attribute,
    by_hand,
    certificate,
    issued,
    judged,
    key,
    openssl,
    usage,
    usual_attributes,
)
from tests.support.timestamps import authority

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is absent: make test-deps")
GOOD = [("valid", "INTACT"), ("valid", "INTACT_UNNAMED")]
SHA1_IDENTIFIER, SHA512_IDENTIFIER = (der.tlv(der.SEQUENCE, oid, NULL) for oid in (SHA1, SHA512))
RSA = der.tlv(der.SEQUENCE, der.oid("1.2.840.113549.1.1.1"), NULL)
CA = setting().ca.der


@needs_openssl
@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("p256", "-cades", "INTACT"),
        ("p256", "", "INTACT_UNNAMED"),
        ("p256", "-nosmimecap -keyid", "INTACT_UNNAMED"),
        ("p256", "-cades -keyid -md sha512", "INTACT"),
        ("p256", "-noattr", "INTACT_UNNAMED"),
        ("p256", "-stream", "INTACT_UNNAMED"),
        ("rsa", "-stream -keyid -cades", "INTACT"),
        ("rsa", "-stream -noattr", "INTACT_UNNAMED"),
        ("rsa", "-noattr -md sha384", "INTACT_UNNAMED"),
        ("rsa", "-md sha512", "INTACT_UNNAMED"),
        ("rsa", "-md sha3-256", "INTACT_UNNAMED"),
        ("rsa", "-keyopt rsa_padding_mode:pss", "INTACT_UNNAMED"),
        ("rsa", "-keyopt rsa_padding_mode:pss -md sha512 -keyopt rsa_pss_saltlen:20 -cades", "INTACT"),
        ("p521", "-md sha256 -cades", "INTACT"),
        ("brainpool", "-md sha384", "INTACT_UNNAMED"),
    ],
)
def test_what_openssl_signs_is_accepted_and_any_other_document_is_not(kind, options, reason, tmp_path):
    """Named by key, without ESS attribute, without attributes, as a stream (BER), RSA, PSS, other curves and digests."""
    signed = openssl(tmp_path, kind, *options.split())
    found = judged(signed + bytes(500))
    assert found.reason("integrity") == ("valid", reason)
    assert (found.reason("signer"), found.reason("chain")) == (("valid", "SIGNER"), ("valid", "TRUSTED"))
    assert kind_of(signed + bytes(7)) is Kind.CMS
    assert judged(signed, CONTENT + b"!").reason("integrity")[0] == "invalid"


@needs_openssl
def test_a_signature_that_does_not_name_its_certificate_says_so(tmp_path):
    """It is accepted, and the reader is told what it lacks."""
    found = judged(openssl(tmp_path, "p256"))
    assert "未载明所用证书" in found.steps["integrity"].zh
    assert "does not name its certificate" in found.steps["integrity"].en


@needs_openssl
@pytest.mark.parametrize("options", ["-md sha1", "-md md5 -noattr", "-md sha1 -noattr"])
def test_weak_digests_are_neither_valid_nor_invalid(options, tmp_path):
    """The content agrees, which proves nothing any more; a document that does not agree is wrong all the same."""
    signed = openssl(tmp_path, "rsa", *options.split())
    found = judged(signed)
    assert found.reason("integrity") == ("unknown", "WEAK_ALGORITHM")
    assert "已不安全" in found.steps["integrity"].zh
    assert found.reason("chain") == ("valid", "TRUSTED")
    assert judged(signed, CONTENT + b"!").reason("integrity")[0] == "invalid"


@needs_openssl
def test_a_weak_key_is_unknown(tmp_path):
    """RSA of 1024 bits: the signature holds, who made it is not certain."""
    found = judged(openssl(tmp_path, "rsa1024"))
    assert (found.reason("integrity"), found.reason("signer")) == (GOOD[1], ("unknown", "WEAK_KEY"))


def test_the_form_by_hand_is_the_usual_one():
    """What the following tests vary is accepted as it stands."""
    found = judged(by_hand(usual_attributes()))
    assert [found.reason(step) for step in ("integrity", "signer", "chain")] == [
        ("valid", "INTACT"),
        ("valid", "SIGNER"),
        ("valid", "TRUSTED"),
    ]


ARCHIVAL = der.tlv(der.SEQUENCE, der.tlv(0xA0, der.tlv(der.SEQUENCE, b"\x30\x03crl")), der.tlv(0xA1, der.tlv(der.SEQUENCE, b"\x30\x04ocsp")))  # fmt: skip
OWN = attribute(der.oid("1.3.6.1.4.1.99999.1"), b"\x0c\x01x")
ESS_V1 = attribute(
    OID_SIGNING_CERTIFICATE,
    der.tlv(
        der.SEQUENCE,
        der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, der.tlv(der.OCTET_STRING, sha1(certificate("p256")).digest()))),
    ),
)
TIME = attribute(der.oid("1.2.840.113549.1.9.5"), der.tlv(0x17, b"260601040000Z"))
DIGEST_OF_CONTENT = der.tlv(der.OCTET_STRING, sha256(CONTENT).digest())


@pytest.mark.parametrize(
    "signed",
    [
        by_hand([*usual_attributes(), OWN]),
        by_hand([*usual_attributes(), OWN, attribute(der.oid("1.3.6.1.4.1.99999.1"), b"\x0c\x01y", b"\x0c\x01z")]),
        by_hand([*usual_attributes(), TIME]),
        by_hand([*usual_attributes(), attribute(der.oid("1.2.840.113583.1.1.8"), ARCHIVAL)]),
        by_hand([*usual_attributes()[:2], ESS_V1]),
        by_hand(usual_attributes(), sort=lambda told: sorted(told, reverse=True)),
        by_hand(usual_attributes(), digests=[der.tlv(der.SEQUENCE, cms.OID_SHA256, NULL)]),
        by_hand(usual_attributes(), digests=[SHA512_IDENTIFIER, cms.SHA256_IDENTIFIER, SHA1_IDENTIFIER]),
        by_hand(usual_attributes(), digests=[]),
        by_hand(usual_attributes(), algorithm=der.tlv(der.SEQUENCE, cms.OID_ECDSA_SHA256, NULL)),
        by_hand(usual_attributes(), algorithm=der.tlv(der.SEQUENCE, der.oid("1.2.840.10045.2.1"))),
        by_hand(usual_attributes(), certificates=[CA, b"\x30\x03\x02\x01\x05", certificate("p256"), CA]),
        by_hand(usual_attributes(), certificates=[certificate("p256"), CA, certificate("rsa"), certificate("p521")]),
        by_hand(usual_attributes(), lists=[b"\x30\x03\x02\x01\x01"]),
        by_hand(usual_attributes(), content=b""),
        by_hand(usual_attributes(), unsigned=[attribute(der.oid("1.2.840.113549.1.9.6"), b"\x30\x00")]),
        by_hand(usual_attributes()).replace(b"\x02\x01\x01\x31", b"\x02\x01\x03\x31", 1),
    ],
    ids=[
        "unknown attribute", "repeated unknown attribute", "signing-time", "archival", "ESS v1", "unsorted", "NULL",
        "digest list", "no digest list", "ECDSA with NULL", "plain EC", "unreadable and repeated certificates",
        "many certificates", "CRL", "empty content", "countersignature", "version 3",
    ],
)  # fmt: skip
def test_lawful_forms_are_accepted_and_their_mutations_are_not(signed):
    """Each with its own content only."""
    assert judged(signed).reason("integrity") == ("valid", "INTACT")
    assert judged(signed).reason("chain") == ("valid", "TRUSTED")
    assert judged(signed, CONTENT[:-1]).reason("integrity") == ("invalid", "DIGEST")


@pytest.mark.parametrize(
    ("signed", "status", "reason"),
    [
        (by_hand([*usual_attributes(), usual_attributes()[1]]), "invalid", "CMS_ATTRIBUTES"),
        (by_hand([*usual_attributes(), TIME, TIME]), "invalid", "CMS_ATTRIBUTES"),
        (by_hand([*usual_attributes()[:1], *usual_attributes()[2:]]), "invalid", "CMS_ATTRIBUTES"),
        (by_hand(usual_attributes()[1:]), "unknown", "CMS_ATTRIBUTES"),
        (by_hand([attribute(cms.OID_MESSAGE_DIGEST, DIGEST_OF_CONTENT, DIGEST_OF_CONTENT)]), "invalid", "CMS_ATTRIBUTES"),
        (by_hand(usual_attributes(signer=certificate("rsa"))), "invalid", "CERTIFICATE_SWAPPED"),
        (by_hand(usual_attributes(), sign=lambda _: bytes(70)), "invalid", "SIGNATURE"),
        (by_hand(usual_attributes(), content=b"something else"), "invalid", "DIGEST"),
        (by_hand(usual_attributes(), certificates=[]), "unknown", "CMS_NO_CERTIFICATE"),
        (by_hand(usual_attributes(), certificates=[CA]), "unknown", "CMS_SIGNER"),
        (by_hand(usual_attributes(), digests=[SHA512_IDENTIFIER]), "unknown", "CMS_DIGESTS"),
        (by_hand(usual_attributes(), digest=der.tlv(der.SEQUENCE, der.oid("1.3.36.3.2.1"))), "unknown", "ALGORITHM"),
        (by_hand(usual_attributes(), algorithm=der.tlv(der.SEQUENCE, der.oid("1.2.3.4"))), "unknown", "ALGORITHM"),
        (by_hand(usual_attributes(), content_type=der.oid("1.2.3.4")), "unknown", "CMS_CONTENT"),
        (by_hand(usual_attributes()) + b"\x01", "unknown", "CONTENTS_TAIL"),
        (bytes(3000), "invalid", "CMS_EMPTY"),
        (b"\x30\x03\x02\x01\x01", "invalid", "CMS_SYNTAX"),
        (b"not ASN.1 at all", "invalid", "CMS_SYNTAX"),
        (by_hand(usual_attributes())[:-1], "invalid", "CMS_SYNTAX"),
    ],
    ids=range(19),
)  # fmt: skip
def test_what_is_wrong_is_invalid_and_what_is_beyond_this_reader_is_unknown(signed, status, reason):
    """Never VALID; INVALID only for what is wrong."""
    assert judged(signed).reason("integrity") == (status, reason)


def test_algorithms_that_the_signer_protected_are_those_of_the_signature():
    """RFC 6211: the attribute names both; a swap outside the signed part is found out."""
    named = der.tlv(der.SEQUENCE, cms.SHA256_IDENTIFIER, der.tlv(0xA1, cms.OID_ECDSA_SHA256))
    protection = attribute(der.oid("1.2.840.113549.1.9.52"), named)
    assert judged(by_hand([*usual_attributes(), protection])).reason("integrity") == ("valid", "INTACT")
    plain = der.tlv(der.SEQUENCE, der.oid("1.2.840.10045.2.1"))
    swapped = judged(by_hand([*usual_attributes(), protection], algorithm=plain))
    assert swapped.reason("integrity") == ("invalid", "ALGORITHM_SWAPPED")


def test_a_value_under_the_name_of_another_digest_is_unknown():
    """Makers mislabel: it is their key's work, and what is unsigned does not decide what was signed."""
    mislabelled = by_hand(usual_attributes(), algorithm=der.tlv(der.SEQUENCE, der.oid("1.2.840.10045.4.3.4")))
    assert judged(mislabelled).reason("integrity") == ("unknown", "ALGORITHM")


@pytest.mark.parametrize("make", [ed25519.Ed25519PrivateKey.generate, ed448.Ed448PrivateKey.generate])
def test_edwards_curves_are_accepted(make):
    """RFC 8419, with and without signed attributes."""
    secret = make()
    oid = der.oid("1.3.101.112" if isinstance(secret, ed25519.Ed25519PrivateKey) else "1.3.101.113")
    own = issued(secret.public_key(), (usage(digital_signature=True), True))
    attributes = [
        attribute(cms.OID_CONTENT_TYPE, cms.OID_DATA),
        attribute(cms.OID_MESSAGE_DIGEST, der.tlv(der.OCTET_STRING, sha512(CONTENT).digest())),
    ]
    for told, message in ((attributes, None), (None, CONTENT)):
        signed = by_hand(
            told,
            message=message,
            signer=own,
            sign=secret.sign,
            digests=[SHA512_IDENTIFIER],
            digest=SHA512_IDENTIFIER,
            algorithm=der.tlv(der.SEQUENCE, oid),
        )
        found = judged(signed)
        assert (found.reason("integrity"), found.reason("signer")) == (GOOD[1], ("valid", "SIGNER"))
        assert judged(signed, CONTENT + b"!").reason("integrity")[0] == "invalid"


def test_attributes_of_another_signature_are_no_document():
    """A document that reads as signed attributes, under a signature without any, is not taken for signed."""
    attributes = der.tlv(der.SET, *sorted(usual_attributes()))
    stolen = by_hand(None, message=attributes)
    assert judged(stolen, attributes).reason("integrity") == ("unknown", "CMS_AMBIGUOUS")


def pkcs1(message: bytes, digest: hashes.HashAlgorithm) -> bytes:
    signed: bytes = key("rsa").sign(message, padding.PKCS1v15(), digest)
    return signed


@pytest.mark.parametrize("attributes", [True, False])
def test_a_digest_inside_the_signature_is_weak_when_it_is_sha1(attributes):
    """adbe.pkcs7.sha1: the content is the document's SHA-1; it agrees and proves nothing."""
    inner = sha1(CONTENT).digest()
    told = [
        attribute(cms.OID_CONTENT_TYPE, cms.OID_DATA),
        attribute(cms.OID_MESSAGE_DIGEST, der.tlv(der.OCTET_STRING, sha256(inner).digest())),
    ]
    signed = by_hand(told if attributes else None, message=inner, content=inner)
    found = judged(signed)
    assert (found.reason("integrity"), found.reason("chain")) == (("unknown", "WEAK_ALGORITHM"), ("valid", "TRUSTED"))
    assert judged(signed, CONTENT + b"!").reason("integrity") == ("invalid", "DIGEST")


@pytest.mark.parametrize("said", [None, cms.OID_DATA, cms.OID_GM_DATA])
@pytest.mark.parametrize("content_type", [cms.OID_DATA, cms.OID_GM_DATA])
def test_a_digest_inside_the_signature_is_a_message_of_its_own(content_type, said):
    """A challenge of 32 bytes that somebody signed may be the digest of a document that he never saw, and what stands
    outside the signature makes no document of it: anybody may write that it is of GB/T 35275.
    """
    inner = sha256(CONTENT).digest()
    told = [
        attribute(cms.OID_CONTENT_TYPE, said or b""),
        attribute(cms.OID_MESSAGE_DIGEST, der.tlv(der.OCTET_STRING, sha256(inner).digest())),
    ]
    signed = by_hand(told if said else None, message=inner, content=inner, content_type=content_type)
    assert judged(signed).reason("integrity") == ("unknown", "DIGEST_INSIDE")
    assert judged(signed, CONTENT + b"!").reason("integrity") == ("invalid", "DIGEST")


@pytest.mark.parametrize(("digest", "status"), [(hashes.SHA1(), "WEAK_ALGORITHM"), (hashes.SHA256(), "INTACT_UNNAMED")])
def test_a_bare_rsa_value_is_judged_by_the_digest_it_names(digest, status):
    """adbe.x509.rsa_sha1: the certificate stands in /Cert, the value is over the bytes themselves."""
    contents = der.tlv(der.OCTET_STRING, pkcs1(CONTENT, digest)) + bytes(9)
    assert kind_of(contents) is Kind.RAW_RSA
    held = (certificate("rsa"), CA)
    assert judged(contents, certificates=held).reason("integrity")[1] == status
    assert judged(contents, certificates=held).reason("chain") == ("valid", "TRUSTED")
    assert judged(contents, CONTENT + b"!", certificates=held).reason("integrity") == ("invalid", "SIGNATURE")
    assert judged(contents).reason("integrity") == ("unknown", "NO_CERTIFICATE")
    assert judged(contents, certificates=(certificate("p256"),)).reason("integrity") == ("unknown", "ALGORITHM")


def in_pieces(signed: bytes) -> bytes:
    """With open lengths throughout and octet strings of more than 32 bytes in pieces; certificates as they are."""

    def opened(tag: int, *members: bytes) -> bytes:
        return bytes((tag, 0x80)) + b"".join(members) + b"\0\0"

    def again(node: der.Node) -> bytes:
        if node.tag & 0x20:
            return opened(node.tag, *(again(child) for child in node.children()))
        if node.tag == der.OCTET_STRING and len(node.body) > 32:
            return opened(0x24, *(der.tlv(4, node.body[at : at + 20]) for at in range(0, len(node.body), 20)))
        return node.raw

    outer, explicit = der.parse(signed).children()
    version, digests, content, certificates, signers = explicit.children()[0].children()
    held = opened(0xA0, *(each.raw for each in certificates.children()))
    data = opened(0x30, version.raw, again(digests), again(content), held, again(signers))
    return opened(0x30, outer.raw, opened(0xA0, data))


def test_any_ber_form_reads_as_the_der():
    """Attributes with open lengths are verified over their DER (RFC 5652, 5.4); certificates stay what they were."""
    signed = by_hand([*usual_attributes(), OWN, TIME])
    pieces = in_pieces(signed)
    assert pieces != signed
    assert cms_reader.read(pieces) == cms_reader.read(signed)
    assert cms_reader.unpadded(pieces + bytes(400)) == pieces
    assert judged(pieces + bytes(400)).reason("integrity") == ("valid", "INTACT")
    assert judged(pieces, CONTENT + b"!").reason("integrity") == ("invalid", "DIGEST")


# Made once: signatures differ in length from one to the next.
ONE, ONE_WITH_MORE, ONE_BARE = (
    by_hand(usual_attributes()),
    by_hand([*usual_attributes(), OWN]),
    by_hand(None, message=CONTENT),
)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_changed_byte_of_what_counts_is_intact(data):
    """Signed attributes, digest and signature: any byte changed, in DER and in BER."""
    signed = ONE_WITH_MORE
    read = cms_reader.read(signed)
    part = data.draw(st.sampled_from([read.signed_attributes[1:], read.signature, read.message_digest]))
    contents = data.draw(st.sampled_from([signed, in_pieces(signed)]))
    start = contents.find(part)
    if start < 0:
        contents, start = signed, signed.index(part)
    at = start + data.draw(st.integers(0, len(part) - 1))
    changed = bytearray(contents)
    changed[at] ^= data.draw(st.integers(1, 255))
    found = judged(bytes(changed))
    assert found.steps["integrity"].status.value != "valid", (at, changed[at])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_contents_get_a_finding(data):
    """Mangled structures of every kind: a finding, no exception, and never another signer."""
    whole = data.draw(st.sampled_from([ONE, in_pieces(ONE), ONE_BARE]))
    a, b = sorted((data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole)))))
    mangled = whole[:a] + data.draw(st.binary(max_size=20)) + whole[b:]
    found = judged(mangled)
    assert "integrity" in found.steps
    if found.steps["integrity"].status.value == "valid":
        assert found.opened is not None
        assert found.opened.cms.signer == certificate("p256")


def test_the_time_of_a_signature_is_its_own_where_the_document_states_none():
    """/M first, signing-time where there is no /M."""
    signed = by_hand([*usual_attributes(), TIME])
    one = judged(signed).opened
    assert one is not None
    assert one.claimed_us == NOW_US
    assert cms_reader.read(signed).signing_time_us == NOW_US
    assert cms_reader.read(by_hand([*usual_attributes(), attribute(der.oid("1.2.840.113549.1.9.5"), der.tlv(0x17, b"990601040000Z"))])).signing_time_us == 928_209_600_000_000  # fmt: skip
    assert cms_reader.read(by_hand([*usual_attributes(), attribute(der.oid("1.2.840.113549.1.9.5"), b"\x05\x00")])).signing_time_us is None  # fmt: skip
    assert Held(signed).claimed_us == NOW_US


def test_what_a_signature_carries_is_validation_data():
    """CRLs of the structure, CRLs and OCSP answers of revocationInfoArchival."""
    archival = attribute(der.oid("1.2.840.113583.1.1.8"), ARCHIVAL)
    carried = NOTHING.with_carried(cms_reader.read(by_hand([*usual_attributes(), archival], lists=[b"\x30\x02ab"])))
    assert carried.crls == (b"\x30\x02ab", b"\x30\x03crl")
    assert carried.ocsps == (b"\x30\x04ocsp",)
    broken = by_hand([*usual_attributes(), attribute(der.oid("1.2.840.113583.1.1.8"), b"\x05\x00")])
    assert NOTHING.with_carried(cms_reader.read(broken)) == NOTHING


def test_the_kind_is_told_by_the_bytes():
    """Whatever /SubFilter says; it decides only where the bytes say nothing."""
    token = authority().token(sha256(b"x").digest())
    assert kind_of(token + bytes(5), "adbe.pkcs7.detached") is Kind.TIMESTAMP
    assert kind_of(in_pieces(by_hand(usual_attributes())), "GM.sm2seal") is Kind.CMS
    for nothing in (b"", bytes(20), b"\x30\x00", b"\x30\x03\x02\x01\x01", b"%PDF"):
        assert kind_of(nothing) is Kind.UNKNOWN
    assert kind_of(b"\xff\xff", "adbe.x509.rsa_sha1") is Kind.RAW_RSA
    assert ber.normalised(in_pieces(by_hand(usual_attributes())))[:1] == b"\x30"


@pytest.mark.parametrize(
    ("signed", "reason"),
    [
        (by_hand([*usual_attributes(), *(attribute(der.oid(f"1.2.3.{n}"), NULL) for n in range(5000))]), "CMS_LIMIT"),
        (b"\x30\x80" + NULL * 40_000 + b"\x00\x00", "CMS_LIMIT"),
        (by_hand(usual_attributes(), certificates=[der.tlv(der.SEQUENCE, der.integer(n)) for n in range(65)]), "TOO_MANY_CERTIFICATES"),
    ],
    ids=["attributes", "elements", "certificates"],
)  # fmt: skip
def test_a_signature_beyond_the_readers_bounds_is_unknown(signed, reason):
    """Work is bounded, and what passes the bound is not called wrong."""
    assert judged(signed).reason("integrity") == ("unknown", reason)
