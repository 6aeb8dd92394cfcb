"""Presented licences: what is VALID, and that nothing that was touched is."""

import os

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.esign.certification.authorities import CertificateWish, open_authority
from services.esign.certification.domain import chain, paths, pki
from services.esign.certification.domain.holders import SealKind
from services.esign.config import EsignSettings
from services.esign.domain.verdict import Outcome, Status
from services.esign.licences.domain import check as licence_check
from services.esign.licences.domain import jose, sd_jwt
from services.esign.licences.domain import types as licences
from services.esign.licences.domain.check import Beside, Judged, NotRegistered, Registered, judge
from services.esign.licences.domain.key_binding import Expected
from services.esign.licences.domain.sd_jwt import Hidden, Padded
from services.esign.licences.domain.types import LicenceState
from services.esign.revocation.domain import answers as revocation
from services.esign.revocation.domain.answers import CertificateStanding, Standing
from services.esign.seals.domain.life import Revocation, RevocationReason, Seal, SealState
from services.esign.verification.domain.sentences import verdict_words
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID, setting
from tests.support.licences import AUDIENCE, NONCE, PERSON, Wallet, issued
from tests.support.sm import sm_setting

DAY_US = 86_400 * 1_000_000
SEAL = Seal(SEAL_ID, "police", ORGANISATION, SealState.ACTIVE, NOW_US - DAY_US, NOW_US + 700 * DAY_US)
KNOWN = Registered(LicenceState.VALID, SEAL, NOW_US, 7)


def judged(
    text: str, register: Registered | NotRegistered = KNOWN, *, now_us: int = NOW_US, asked: bool = True
) -> Judged:
    expected = Expected(AUDIENCE, NONCE, 300, now_us) if asked else None
    return judge(text, [setting().root.certificate], expected, now_us, register)


def reason(found: Judged, step: str) -> str:
    return next(s.reason for s in found.verdict.steps if s.step == step)


def test_over_eighteen_without_the_birthday() -> None:
    """A presentation of one age is VALID and shows neither name, number nor birthday."""
    wallet = issued()
    text = wallet.present("18")
    found = judged(text)
    assert found.verdict.outcome is Outcome.VALID, found.verdict.as_json()
    assert [step.step for step in found.verdict.steps] == list(licence_check.STEPS)
    assert found.claims["age_equal_or_over"] == {"18": True}
    shown = b"".join(jose.decode(part) for part in text.replace("~", ".").split(".")[:-1] if part).decode("latin-1")
    for private in (*PERSON.values(), "1990"):
        assert private.encode().decode("latin-1") not in shown


def test_a_certificate_with_a_key_of_another_kind_is_a_verdict() -> None:
    """SM2 in x5c: the licence is refused by name, and nothing else happens."""
    text = issued(header={"x5c": jose.x5c([sm_setting().seal.certificate])}).present("18")
    found = judged(text)
    assert found.verdict.outcome is not Outcome.VALID
    assert reason(found, "integrity") == "ALGORITHM"


def test_region_without_the_street() -> None:
    """Of an object whose members are hidden one by one, the holder shows one member."""
    found = judged(issued().present("address", "region"))
    assert found.verdict.outcome is Outcome.VALID
    assert set(found.claims["address"]) == {"region"}


@pytest.mark.parametrize(
    ("change", "step", "expected"),
    [
        ({"aud": "https://other.example"}, "holder", "AUDIENCE"),
        ({"nonce": "another"}, "holder", "NONCE"),
        ({"nonce": 5}, "holder", "NONCE"),
        ({"iat": NOW_US // 1_000_000 - 301}, "holder", "PROOF_STALE"),
        ({"iat": NOW_US // 1_000_000 + 61}, "holder", "PROOF_STALE"),
        ({"exp": NOW_US // 1_000_000}, "holder", "PROOF_STALE"),
        ({"sd_hash": sd_jwt.digest_of("other")}, "holder", "SD_HASH"),
        ({"iat": "now"}, "holder", "CLAIM"),
    ],
)
def test_binding_to_another_question_is_refused(change: dict[str, object], step: str, expected: str) -> None:
    """A key binding for another verifier, question, time or choice of disclosures proves nothing here."""
    found = judged(issued().present("18", **change))
    assert (found.verdict.outcome, reason(found, step)) == (Outcome.INVALID, expected)
    assert found.claims == {}


def test_without_binding_or_by_another_key() -> None:
    """A copy without key binding, or bound by another key than the licence names, is INVALID."""
    wallet, thief = issued(), Wallet()
    bare = sd_jwt.compose(wallet.token, wallet.shown(["18"]))
    assert reason(judged(bare), "holder") == "HOLDER_NOT_PROVEN"
    thief.token, thief.disclosures = wallet.token, wallet.disclosures
    found = judged(thief.present("18"))
    assert (found.verdict.outcome, reason(found, "holder")) == (Outcome.INVALID, "SIGNATURE_WRONG")


def test_nobody_asked_is_never_valid() -> None:
    """Without audience and nonce the verdict stays INDETERMINATE, key binding or not."""
    found = judged(issued().present("18"), asked=False)
    assert (found.verdict.outcome, reason(found, "holder")) == (Outcome.INDETERMINATE, "HOLDER_NOT_ASKED")
    assert found.claims == {}


@pytest.mark.parametrize(
    ("register", "outcome", "step", "expected"),
    [
        (Registered(LicenceState.SUSPENDED, SEAL, NOW_US, 7), Outcome.INVALID, "document", "LICENCE_SUSPENDED"),
        (Registered(LicenceState.REVOKED, SEAL, NOW_US, 7), Outcome.INVALID, "document", "LICENCE_REVOKED"),
        (Registered(LicenceState.VALID, SEAL, NOW_US, -1), Outcome.INDETERMINATE, "ledger", "LOG_PENDING"),
        (NotRegistered.UNKNOWN, Outcome.INDETERMINATE, "document", "LICENCE_UNKNOWN"),
        (NotRegistered.OFFLINE, Outcome.VALID, "document", "OFFLINE"),
    ],
)
def test_register_decides(register: Registered | NotRegistered, outcome: Outcome, step: str, expected: str) -> None:
    """A right signature is not enough: what the register says of the licence counts, or that it cannot be asked."""
    found = judged(issued().present("18"), register)
    assert (found.verdict.outcome, reason(found, step)) == (outcome, expected)


def test_seal_that_was_stolen_then() -> None:
    """A licence issued after the invalidity date of its seal is INVALID; one issued before stands."""
    for invalid_us, outcome in ((NOW_US, Outcome.INVALID), (NOW_US + 1, Outcome.VALID)):
        stolen = Revocation(RevocationReason.KEY_COMPROMISE, NOW_US + DAY_US, invalid_us)
        seal = Seal(SEAL_ID, "police", ORGANISATION, SealState.REVOKED, 0, NOW_US + DAY_US, revocation=stolen)
        assert (
            judged(issued().present("18"), Registered(LicenceState.VALID, seal, NOW_US, 7)).verdict.outcome is outcome
        )


def test_a_seal_void_at_issuing_has_no_good_present() -> None:
    """Two steps do not contradict each other: the seal counted for nothing, and nothing is said of it now."""
    stolen = Revocation(RevocationReason.KEY_COMPROMISE, NOW_US + DAY_US, NOW_US)
    seal = Seal(SEAL_ID, "police", ORGANISATION, SealState.REVOKED, 0, NOW_US + DAY_US, revocation=stolen)
    found = judged(issued().present("18"), Registered(LicenceState.VALID, seal, NOW_US, 7))
    assert (reason(found, "seal_then"), reason(found, "seal_now")) == ("SEAL_INVALID_THEN", "NOT_REACHED")


def test_time() -> None:
    """Past its end, before its beginning or without either a licence is INVALID."""
    text = issued().present("18", iat=(NOW_US + 365 * DAY_US) // 1_000_000)
    assert reason(judged(text, now_us=NOW_US + 365 * DAY_US), "time") == "LICENCE_EXPIRED"
    assert reason(judged(issued(claims={"nbf": NOW_US // 1_000_000 + 61}).present("18")), "time") == "NOT_YET_VALID"
    assert reason(judged(issued(claims={"exp": None}).present("18")), "time") == "VALIDITY_UNKNOWN"
    assert reason(judged(issued(claims={"exp": "2030"}).present("18")), "time") == "CLAIM"


@pytest.mark.parametrize("moment", [2**53 - 1, -(2**53 - 1)])
@pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
def test_times_of_no_calendar(name: str, moment: int) -> None:
    """A number that an issuer may sign and no calendar has is judged as a time, and fails nothing but the licence."""
    token, _, rest = issued().present("18").partition("~")
    header, payload = (jose.read_json(jose.decode(part)) for part in token.split(".")[:2])
    header.pop("alg")
    changed = jose.sign(header, {**payload, name: moment}, setting().key)
    found = judged(f"{changed}~{rest}")
    # The key binding is of another token: that alone is INVALID.
    assert found.verdict.outcome is Outcome.INVALID
    assert reason(found, "integrity") == "SIGNATURE_VALID"


def test_type_is_named() -> None:
    """An SD-JWT VC says of which type it is; one that does not is none."""
    assert reason(judged(issued(claims={"vct": None}).present("18")), "parse") == "TYPE_LACKING"


def test_issuer_that_nobody_trusts() -> None:
    """A chain under another root is INDETERMINATE, one that may not sign INVALID; neither is VALID."""
    other = pki.make_seal_ca(pki.make_root("别处", NOW_US), "别处", NOW_US)
    certificate = pki.issue_seal_certificate(other, setting().key.public_key(), "别处", "X", NOW_US)
    x5c = jose.x5c([certificate.public_bytes(Encoding.DER), other.der])
    found = judged(issued(header={"x5c": x5c}).present("18"))
    assert (found.verdict.outcome, reason(found, "chain")) == (Outcome.INDETERMINATE, "ISSUER_NOT_TRUSTED")
    responder = pki.make_ocsp_responder(setting().ca, "枢纽", NOW_US)
    wallet = issued()
    token = sd_jwt.parse(wallet.present("18"), licences.TYP).token
    wallet.token = jose.sign({"typ": licences.TYP, "x5c": jose.x5c([responder.der])}, token.payload, responder.key)
    found = judged(wallet.present("18"))
    assert (found.verdict.outcome, reason(found, "signer")) == (Outcome.INVALID, "SIGNER_KEY_USAGE")


@pytest.mark.parametrize(
    "header", [{"typ": "vc+sd-jwt"}, {"alg": "none"}, {"alg": "HS256"}, {"crit": ["b64"]}, {"crit": []}]
)
def test_algorithm_and_type_are_fixed(header: dict[str, object]) -> None:
    """Neither algorithm nor type is taken from what arrives; what is critical and not understood is refused."""
    found = judged(issued(header=header).present("18"))
    assert found.verdict.outcome is Outcome.INVALID
    assert reason(found, "parse") in {"TYPE", "ALGORITHM", "HEADER"}
    assert found.verdict.steps[-1].status is Status.NOT_CHECKED


def test_header_parameters_that_are_not_understood_are_ignored() -> None:
    """RFC 7515, 4: a wallet's or issuer's own parameter changes nothing, whatever it holds."""
    header = {"jku": "https://x", "key_attestation": "a.b.c", "trust_chain": ["x"], "cty": "json", "n": {"a": [1, 0.5]}}
    assert judged(issued(header=header).present("18")).verdict.outcome is Outcome.VALID


def test_no_touched_byte_is_valid() -> None:
    """Every byte of a presentation, changed to another that base64url has or to a separator, costs the verdict VALID."""
    text = issued().present("18", "address", "region")
    assert judged(text).verdict.outcome is Outcome.VALID
    for place, old in enumerate(text):
        for new in ("A" if old != "A" else "B", chr(ord(old) ^ 1), "~"):
            if new != old:
                touched = text[:place] + new + text[place + 1 :]
                assert judged(touched).verdict.outcome is not Outcome.VALID, (place, old, new)


def test_last_character_has_one_spelling() -> None:
    """The bits of a base64url text that carry nothing are zero, or the same bytes would have several spellings."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = issued().present("18")
    for end in (i for i, c in enumerate(text + ".") if c in ".~" and i):
        kept = [c for c in alphabet if judged(text[: end - 1] + c + text[end:]).verdict.outcome is Outcome.VALID]
        assert kept == [text[end - 1]]


def test_disclosure_of_another_licence() -> None:
    """A true disclosure of another licence of the same issuer is INVALID: its digest is not in this one."""
    young, old = issued(), issued()
    young.disclosures = (*young.disclosures, *old.shown(["60"]), *old.shown(["18"]))
    found = judged(young.present("18"))
    assert (found.verdict.outcome, reason(found, "coverage")) == (Outcome.INVALID, "DISCLOSURE_UNSIGNED")


def test_claims_that_decide_cannot_be_hidden_or_replaced() -> None:
    """Neither an issuer's mistake nor a holder's trick puts expiry, key, type or status behind a disclosure."""
    with pytest.raises(ValueError, match="stay open"):
        sd_jwt.conceal(Padded({"exp": Hidden(1)}, 0), os.urandom)
    wallet = issued()
    disclosure = sd_jwt.Disclosure(jose.encode(jose.json_bytes(["salt", "nbf", 1])), "nbf", 1)
    payload = dict(sd_jwt.parse(wallet.present(), licences.TYP).token.payload)
    payload["_sd"] = [*payload["_sd"], disclosure.digest]
    here = setting()
    header = {"typ": licences.TYP, "x5c": jose.x5c([here.certificate, here.ca.der])}
    wallet.token, wallet.disclosures = jose.sign(header, payload, here.key), (disclosure,)
    assert reason(judged(wallet.present("nbf")), "coverage") == "CLAIM_TWICE"


def test_signer_of_another_curve() -> None:
    """ES256 is P-256: a certificate with another curve signs no licence."""
    here = setting()
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = pki.issue_seal_certificate(here.ca, key.public_key(), ORGANISATION, "X", NOW_US)
    assert certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert isinstance(certificate, x509.Certificate)
    found = judged(issued(header={"x5c": jose.x5c([certificate.public_bytes(Encoding.DER)])}).present("18"))
    assert reason(found, "integrity") == "ALGORITHM"


# Who may issue.


def by(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, *above: bytes) -> str:
    """A licence whole and shown, as anybody can sign one with a key and its certificate."""
    wallet = issued()
    payload = sd_jwt.parse(wallet.present("18"), licences.TYP).token.payload
    header = {"typ": licences.TYP, "x5c": jose.x5c([pki.certificate_der(certificate), *above])}
    wallet.token = jose.sign(header, payload, key)
    return wallet.present("18")


def issuing(*extensions: x509.ExtensionType) -> str:
    """A licence by a seal that may issue, under an authority that has these extensions."""
    root, key = setting().root, ec.generate_private_key(ec.SECP256R1())
    builder = pki._ca_builder(
        pki._name("An authority", "枢纽"),
        root.certificate.subject,
        key.public_key(),
        root.key.public_key(),
        NOW_US,
        900,
        0,
    )
    for each in extensions:
        builder = builder.add_extension(each, critical=True)
    ca = pki.Authority(key, builder.sign(root.key, hashes.SHA384()))
    own = ec.generate_private_key(ec.SECP256R1())
    return by(pki.issue_seal_certificate(ca, own.public_key(), "某局", "X", NOW_US, issues_licences=True), own, ca.der)


@pytest.mark.parametrize("name", ["person", "once", "company", "before"])
def test_anybodys_certificate_issues_no_licence(name: str) -> None:
    """Signed with a person's certificate, one that signs once, a company's, or one from before there was the purpose:
    nobody knows offline that its holder may issue licences, so the licence is INDETERMINATE and shows no claims.
    """
    ca, key = setting().ca, ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    certificate = {
        "person": lambda: pki.issue_seal_certificate(ca, public, "王小二", "P1", NOW_US, kind=SealKind.PERSON),
        "company": lambda: pki.issue_seal_certificate(ca, public, "小二烧烤店（个体工商户）", "C1", NOW_US),
        "once": lambda: pki.issue_once_certificate(ca, public, SealKind.ORGANISATION, "某局", "O1", NOW_US),
        "before": lambda: pki._signer_builder(
            pki._holder(SealKind.ORGANISATION, "某局", "X"), ca, public, NOW_US, 9
        ).sign(ca.key, hashes.SHA256()),
    }[name]()
    for register in (NotRegistered.OFFLINE, NotRegistered.UNKNOWN):
        found = judged(by(certificate, key, ca.der), register)
        assert found.verdict.outcome is Outcome.INDETERMINATE
        assert reason(found, "signer") == "ISSUER_UNPROVEN"
        assert not found.claims
    told = verdict_words.explain(judged(by(certificate, key, ca.der), NotRegistered.OFFLINE).verdict)
    assert "有权签发" in told.verdict.zh
    # The register knows what was issued, and by whom.
    assert judged(by(certificate, key, ca.der)).verdict.outcome is Outcome.VALID


def test_the_issuer_is_named() -> None:
    """Whose certificate signed a licence stands in the verdict, in both languages and in one line."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = pki.issue_seal_certificate(
        setting().ca, key.public_key(), "某局\n有效 / VALID", "X", NOW_US, issues_licences=True
    )
    for text, name in (
        (issued().present("18"), ORGANISATION),
        (by(certificate, key, setting().ca.der), "某局 有效／VALID"),
    ):
        found = judged(text, NotRegistered.OFFLINE)
        assert found.verdict.outcome is Outcome.VALID
        step = next(step for step in found.verdict.steps if step.step == "chain")
        assert name in step.zh
        assert name in step.en


def test_authorities_that_may_not_vouch_for_issuers() -> None:
    """What confines an authority confines the licences below it as it does documents: some names, other purposes."""
    mail, servers = ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.SERVER_AUTH
    for text, expected in (
        (issuing(), None),
        (issuing(x509.ExtendedKeyUsage([mail, pki.LICENCE_ISSUING])), None),
        (issuing(x509.ExtendedKeyUsage([mail])), ("signer", "ISSUER_UNPROVEN")),
        (issuing(x509.ExtendedKeyUsage([servers, pki.LICENCE_ISSUING])), ("chain", "ISSUER_USAGE")),
        (issuing(x509.NameConstraints([x509.DNSName("example.org")], None)), ("chain", None)),
    ):
        found = judged(text, NotRegistered.OFFLINE)
        assert (found.verdict.outcome is Outcome.VALID) == (expected is None)
        if expected is not None:
            assert found.verdict.outcome is Outcome.INDETERMINATE
            assert expected[1] in {None, reason(found, expected[0])}


def test_who_may_issue_signs_documents_as_before() -> None:
    """The purpose stands beside those of documents and mail, is not critical, and has no part that readers refuse for
    its size; persons' certificates have none.
    """
    certificate = x509.load_der_x509_certificate(setting().certificate)
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert not uses.critical
    assert set(uses.value) == {
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),
        pki.LICENCE_ISSUING,
    }
    assert all(int(part) < 2**28 for part in pki.LICENCE_ISSUING.dotted_string.split("."))
    chain.check_signer(certificate)
    chain.check_document_signer(certificate)
    person = pki.issue_seal_certificate(
        setting().ca, setting().key.public_key(), "某人", "P", NOW_US, kind=SealKind.PERSON, issues_licences=True
    )
    with pytest.raises(x509.ExtensionNotFound):
        person.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


@pytest.mark.parametrize(
    ("issuers", "owner", "kind", "expected"),
    [
        ((), "police", SealKind.ORGANISATION, False),
        (("police",), "police", SealKind.ORGANISATION, True),
        (("police",), "shop", SealKind.ORGANISATION, False),
        (("*",), "shop", SealKind.ORGANISATION, True),
        (("*",), "", SealKind.PERSON, False),
        (("",), "", SealKind.ORGANISATION, False),
    ],
)
async def test_settings_say_whose_seals_may_issue_licences(
    issuers: tuple[str, ...], owner: str, kind: SealKind, expected: bool
) -> None:
    """A seal's certificate gets the purpose where `licence_issuers` names its platform, or all; by default none does."""
    authority, _ = open_authority(EsignSettings(licence_issuers=issuers), setting().ca)
    wish = CertificateWish(ec.generate_private_key(ec.SECP256R1()), "某单位", "S", NOW_US, kind, owner=owner)
    certificate = (await authority.certify(wish)).certificate
    path = (certificate, setting().ca.certificate, setting().root.certificate)
    assert paths.has_purpose(path, pki.LICENCE_ISSUING.dotted_string) is expected


@pytest.mark.parametrize("which", ["seal", "authority"])
def test_lists_at_hand_are_asked_of_the_issuer(which: str) -> None:
    """A list that revokes the issuer's certificate, or its authority's, before the licence was made: INVALID. Revoked
    since, the ledger's receipt proves what was older; without one it is INDETERMINATE.
    """
    here = setting()
    above, gone = {
        "seal": (here.ca, x509.load_der_x509_certificate(here.certificate)),
        "authority": (here.root, here.ca.certificate),
    }[which]

    def found(revoked_us: int, logged_us: int | None = None) -> tuple[Outcome, str]:
        standing = CertificateStanding(
            gone.serial_number, Standing.REVOKED, revoked_us, RevocationReason.KEY_COMPROMISE, revoked_us
        )
        beside = Beside((), (revocation.crl(above, [standing], NOW_US + DAY_US),), logged_us)
        expected, text = Expected(AUDIENCE, NONCE, 300, NOW_US), issued().present("18")
        judged = judge(text, [here.root.certificate], expected, NOW_US, NotRegistered.OFFLINE, beside=beside)
        return judged.verdict.outcome, reason(judged, "seal_then")

    assert found(NOW_US - DAY_US) == (Outcome.INVALID, "CERTIFICATE_REVOKED")
    assert found(NOW_US + DAY_US) == (Outcome.INDETERMINATE, "CERTIFICATE_REVOKED_SINCE")
    assert found(NOW_US + DAY_US, NOW_US)[0] is Outcome.VALID


@pytest.mark.parametrize(("days", "expected"), [(0, "OFFLINE"), (100, "CERTIFICATE_GOOD"), (400, "OFFLINE")])
def test_a_list_of_another_time_says_nothing_of_a_licence(days: int, expected: str) -> None:
    """When it was made its issuer alone says: a list that ended since, or that is not in force yet, is no word of it."""
    now_us = NOW_US + 100 * DAY_US
    beside = Beside((), (revocation.crl(setting().ca, [], NOW_US + days * DAY_US),))
    text, asked = issued(issued_us=NOW_US).present("18", now_us=now_us), Expected(AUDIENCE, NONCE, 300, now_us)
    judged = judge(text, [setting().root.certificate], asked, now_us, NotRegistered.OFFLINE, beside=beside)
    assert reason(judged, "seal_then") == expected


def test_the_issuers_word_alone_does_not_prove_when_a_licence_was_made() -> None:
    """Whose certificate has ended issues no more: a licence of a time inside its validity, by the issuer's word, is
    INDETERMINATE unless the ledger's receipt or the register proves that it existed by then. A proof of quite another
    day than the licence states contradicts it.
    """
    ca, key = setting().ca, ec.generate_private_key(ec.SECP256R1())
    seal = pki.issue_seal_certificate(ca, key.public_key(), ORGANISATION, "S", NOW_US, days=30, issues_licences=True)
    wallet = issued()
    payload = sd_jwt.parse(wallet.present("18"), licences.TYP).token.payload
    header = {"typ": licences.TYP, "x5c": jose.x5c([pki.certificate_der(seal), ca.der])}
    wallet.token = jose.sign(header, payload, key)

    def found(
        days: int, logged_us: int | None = None, register: Registered | NotRegistered = NotRegistered.OFFLINE
    ) -> tuple[Outcome, str]:
        now_us = NOW_US + days * DAY_US
        shown = wallet.present("18", now_us=now_us)
        expected, beside = Expected(AUDIENCE, NONCE, 300, now_us), Beside(logged_us=logged_us)
        judged = judge(shown, [setting().root.certificate], expected, now_us, register, beside=beside)
        return judged.verdict.outcome, reason(judged, "time")

    valid, open_ = Outcome.VALID, Outcome.INDETERMINATE
    assert found(29) == (valid, "LICENCE_IN_TIME")
    assert found(31) == (open_, "TIME_NOT_PROVEN")
    assert found(31, register=NotRegistered.UNKNOWN) == (open_, "TIME_NOT_PROVEN")
    assert found(31, NOW_US + DAY_US) == (valid, "LICENCE_IN_TIME")
    assert found(31, NOW_US + DAY_US + 1) == (open_, "TIME_CONTRADICTED")
    assert found(31, NOW_US + 31 * DAY_US) == (open_, "TIME_CONTRADICTED")
    assert found(29, NOW_US - DAY_US - 1) == (open_, "TIME_CONTRADICTED")
    assert found(31, register=KNOWN) == (valid, "LICENCE_IN_TIME")
    assert found(31, register=Registered(LicenceState.VALID, SEAL, NOW_US + 30 * DAY_US, 7))[0] is open_
