"""The validation report: the standard's form and words, and never another verdict than the hub's."""

import base64
import dataclasses
import itertools
import re
import typing
from hashlib import sha256
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.generated.etsi import ts_11910202
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig

from docs.verdict_reasons import verdict_reasons
from services.esign.certification.domain import pki
from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import (
    STEPS,
    Form,
    Outcome,
    Sentence,
    SignatureFinding,
    SignatureKind,
    Status,
    Step,
    Verdict,
    conclude,
)
from services.esign.revisions.rendering import look
from services.esign.verification.domain import validation_report, verify
from services.esign.verification.domain.code_verdict import Asked, conclude_code
from services.esign.verification.domain.validation_report import (
    NAMESPACE,
    OF_REASON,
    OF_STEP,
    OWN,
    TOTAL_FAILED,
    SubIndication,
)
from tests.support import documents as attack
from tests.support.esign import NOW_US, sealed, setting
from tests.support.lawful import forgeries

VR = f"{{{NAMESPACE}}}"
MAIN = {
    Outcome.VALID: "urn:etsi:019102:mainindication:total-passed",
    Outcome.INVALID: "urn:etsi:019102:mainindication:total-failed",
    Outcome.INDETERMINATE: "urn:etsi:019102:mainindication:indeterminate",
}
SUB = "urn:etsi:019102:subindication:"


def step(name: str, status: Status = Status.VALID, reason: str = "FINE") -> Step:
    return Step(name, status, reason, "说明", "text")


def steps(**failing: tuple[Status, str]) -> list[Step]:
    return [step(name, *failing.get(name, ())) for name in STEPS]


def signature(
    outcome: Outcome = Outcome.VALID, kind: SignatureKind = SignatureKind.CMS, **failing: tuple[Status, str]
) -> SignatureFinding:
    own = [step(name, *failing.get(name, ())) for name in ("integrity", "signer", "chain", "time", "seal_then")]
    return SignatureFinding(
        "Seal1",
        kind,
        outcome,
        Sentence("整个文件", "the whole file"),
        signer="公安局, \u0000a<b>",
        claimed_us=NOW_US,
        proven_us=NOW_US + 1_000_000,
        steps=tuple(own),
    )


def statuses(finding: SignatureFinding) -> set[Status]:
    return {step.status for step in finding.steps}


def report(verdict: Verdict) -> ET.Element:
    made = validation_report.of(verdict, sha256(b"file").digest(), NOW_US)
    found = ET.fromstring(made)
    follows_the_schema(made)
    return found


def indications(found: ET.Element) -> list[tuple[str, list[str]]]:
    """Main indication and sub-indications of each signature."""
    statuses = [one.find(f"{VR}SignatureValidationStatus") for one in found.findall(f"{VR}SignatureValidationReport")]
    return [
        (each.findtext(f"{VR}MainIndication"), [sub.text for sub in each.findall(f"{VR}SubIndication")])
        for each in statuses
    ]


def follows_the_schema(made: bytes) -> None:
    """By pyHanko's classes of the standard's schema: every element known, in its place, as often as it may be there."""
    strict = ParserConfig(fail_on_unknown_properties=True, fail_on_unknown_attributes=True)
    XmlParser(config=strict).from_bytes(made, ts_11910202.ValidationReport)
    in_order(ET.fromstring(made), ts_11910202.ValidationReport)


def in_order(element: ET.Element, kind: type) -> None:
    hints = typing.get_type_hints(kind, vars(ts_11910202))
    fields = [field for field in dataclasses.fields(kind) if field.metadata.get("type") == "Element"]
    names = [f"{{{field.metadata['namespace']}}}{field.metadata.get('name', field.name)}" for field in fields]
    present = [child.tag for child in element]
    assert present == sorted(present, key=names.index), element.tag
    for name, field in zip(names, fields, strict=True):
        children = element.findall(name)
        many = typing.get_origin(hints[field.name]) is tuple
        assert many or len(children) <= 1, name
        assert children or not field.metadata.get("required"), name
        parts = [part for part in typing.get_args(hints[field.name]) or (hints[field.name],) if part is not Ellipsis]
        for child, part in itertools.product(children, parts):
            if dataclasses.is_dataclass(part):
                in_order(child, part)
    attributes = [field for field in dataclasses.fields(kind) if field.metadata.get("type") == "Attribute"]
    required = {field.metadata.get("name", field.name) for field in attributes if field.metadata.get("required")}
    assert required <= set(element.attrib), element.tag


def test_a_sound_document_has_passed() -> None:
    """A real verdict on a sealed document: TOTAL-PASSED, the file's digest, its time, and no sub-indication."""
    pdf, now_us = sealed(), NOW_US + 60_000_000
    verdict = verify.judge(pdf, trust=Trust((setting().root.certificate,)), now_us=now_us)
    assert verdict.outcome is Outcome.VALID
    made = validation_report.of(verdict, sha256(pdf).digest(), now_us)
    follows_the_schema(made)
    found = ET.fromstring(made)
    assert {(main, *subs) for main, subs in indications(found)} == {(MAIN[Outcome.VALID],)}
    values = {each.text for each in found.iter("{http://www.w3.org/2000/09/xmldsig#}DigestValue")}
    assert values == {base64.b64encode(sha256(pdf).digest()).decode()}
    assert {each.text for each in found.iter(f"{VR}ValidationTime")} == {"2026-06-01T04:01:00Z"}


def test_a_changed_document_has_failed() -> None:
    """One byte changed under the signature: TOTAL-FAILED, HASH_FAILURE, with the hub's own reason beside it."""
    streams = [
        (found.end() - found.start(), found.start())
        for found in re.finditer(rb"stream.*?endstream", sealed(), re.DOTALL)
    ]
    length, start = max(streams)
    at = start + length // 2
    pdf = sealed()[:at] + bytes([sealed()[at] ^ 1]) + sealed()[at + 1 :]
    verdict = verify.judge(pdf, trust=Trust((setting().root.certificate,)), now_us=NOW_US)
    ((main, subs),) = indications(report(verdict))
    assert main == MAIN[Outcome.INVALID]
    assert subs == [f"{SUB}HASH_FAILURE", f"{OWN}:reason:DIGEST"]


@pytest.mark.parametrize(("roots", "reason"), [(1, "ISSUER_NOT_TRUSTED"), (0, "NO_ROOTS")])
def test_an_unknown_issuer_is_indeterminate(roots: int, reason: str) -> None:
    """Nobody trusted vouches for the signer: INDETERMINATE, NO_CERTIFICATE_CHAIN_FOUND before all else; and it is told
    whether anybody was trusted at all.
    """
    others = tuple(pki.make_root("某地枢纽", NOW_US).certificate for _ in range(roots))
    verdict = verify.judge(sealed(), trust=Trust(others), now_us=NOW_US)
    ((main, subs),) = indications(report(verdict))
    assert (main, subs[0]) == (MAIN[Outcome.INDETERMINATE], f"{SUB}NO_CERTIFICATE_CHAIN_FOUND")
    assert f"{OWN}:reason:{reason}" in subs


@pytest.mark.parametrize(
    ("name", "status", "reason", "word"),
    [
        ("parse", Status.INVALID, "XREF", SubIndication.FORMAT_FAILURE),
        ("parse", Status.UNKNOWN, "ENCRYPTED", SubIndication.SIGNED_DATA_NOT_FOUND),
        ("integrity", Status.INVALID, "CMS_SYNTAX", SubIndication.FORMAT_FAILURE),
        ("integrity", Status.UNKNOWN, "CMS_SYNTAX", SubIndication.SIG_CONSTRAINTS_FAILURE),
        ("integrity", Status.INVALID, "SIGNATURE", SubIndication.SIG_CRYPTO_FAILURE),
        ("integrity", Status.UNKNOWN, "ALGORITHM", SubIndication.CRYPTO_CONSTRAINTS_FAILURE),
        ("signer", Status.INVALID, "SIGNER_KEY_USAGE", None),
        ("signer", Status.UNKNOWN, "CRITICAL_EXTENSION", SubIndication.CHAIN_CONSTRAINTS_FAILURE),
        ("seal_then", Status.INVALID, "CERTIFICATE_REVOKED", SubIndication.REVOKED),
        ("seal_then", Status.UNKNOWN, "CERTIFICATE_REVOKED_SINCE", SubIndication.REVOKED_NO_POE),
        ("seal_now", Status.UNKNOWN, "SEAL_REVOKED", SubIndication.REVOKED_NO_POE),
        ("time", Status.INVALID, "TIME_CONTRADICTED", None),
        ("time", Status.INVALID, "OUTSIDE_VALIDITY", SubIndication.EXPIRED),
        ("time", Status.UNKNOWN, "TIME_NOT_PROVEN", SubIndication.OUT_OF_BOUNDS_NO_POE),
        ("document", Status.INVALID, "DOCUMENT_REVOKED", None),
        ("ledger", Status.UNKNOWN, "COSIGNATURES_PENDING", SubIndication.TRY_LATER),
        ("ses", Status.INVALID, "SES_DIGEST", SubIndication.HASH_FAILURE),
        ("ses", Status.UNKNOWN, "SES_ISSUER_NOT_TRUSTED", SubIndication.NO_CERTIFICATE_CHAIN_FOUND),
    ],
)
def test_the_standards_word(name: str, status: Status, reason: str, word: SubIndication | None) -> None:
    """A reason's sub-indication, where the standard has one that goes with the main indication."""
    assert validation_report.sub_indication(name, status, reason) == word


def test_every_reason_has_its_indication() -> None:
    """Every step has its words, every reason of the verifier's code gets one that goes with its status, and no row of
    the tables is of a reason that nothing says.
    """
    reasons = verdict_reasons()
    assert set(OF_STEP) >= set(STEPS) | {"holder"}
    assert len(reasons) > 150
    for reason in reasons.values():
        for name, status in itertools.product(reason.steps, (Status.INVALID, Status.UNKNOWN)):
            assert name in OF_STEP, (reason.name, name)
            word = validation_report.sub_indication(name, status, reason.name)
            assert word is None or (word in TOTAL_FAILED) is (status is Status.INVALID)
            # INDETERMINATE is nothing without a reason of the standard's own.
            assert word is not None or status is Status.INVALID
    said = {name.removeprefix("SES_") for name in reasons}
    assert set(OF_REASON) - said == set()


def test_each_signature_has_its_own_report() -> None:
    """Of two signatures one is wrong: its report has failed, the other's has passed; a document timestamp is an object."""
    verdict = dataclasses.replace(
        conclude(steps(integrity=(Status.INVALID, "SIGNATURE")), NOW_US),
        signatures=(
            signature(Outcome.INVALID, integrity=(Status.INVALID, "SIGNATURE")),
            signature(),
            signature(kind=SignatureKind.TIMESTAMP),
        ),
    )
    found = report(verdict)
    assert [main for main, _ in indications(found)] == [MAIN[Outcome.INVALID], MAIN[Outcome.VALID]]
    kinds = [each.text for each in found.iter(f"{VR}ObjectType")]
    assert kinds == [f"urn:etsi:019102:validationObject:{kind}" for kind in ("certificate", "certificate", "timestamp")]
    references = {each.get("VOReference") for each in found.iter(f"{VR}SignerCertificate")}
    assert references == {each.get("id") for each in found.iter(f"{VR}ValidationObject")} - {"timestamp-1"}


def test_the_report_says_of_each_signature_what_the_verdict_says_of_it() -> None:
    """A change between two signatures leaves the first one open and not the second, which its signer saw: in the
    verdict's own list and in the report alike, and the step `changes` of each says which.
    """
    pdf = attack.foreign_sign(forgeries.link_added(attack.foreign()), "Second")
    verdict = verify.judge(pdf, trust=Trust((setting().root.certificate,)), now_us=attack.now_us(), look=look)
    assert [each.outcome for each in verdict.signatures] == [Outcome.INDETERMINATE, Outcome.VALID]
    of_changes = [each.steps[0] for each in verdict.signatures]
    assert [each.reason for each in of_changes] == ["CHANGED_BETWEEN", "UNCHANGED"]
    found = report(verdict)
    assert [main for main, _ in indications(found)] == [MAIN[each.outcome] for each in verdict.signatures]


def test_a_report_takes_no_step_of_another_signature() -> None:
    """What was not reached of a broken signature is not told by the steps of a sound one, nor is the seal that only one
    of them bears, nor the present state of the last one's seal told of both.
    """
    broken = dataclasses.replace(signature(Outcome.INVALID), steps=(step("integrity", Status.INVALID, "SIGNATURE"),))
    open_seal = step("ses", Status.UNKNOWN, "SES_UNTRUSTED")
    sealed_too = signature(Outcome.INDETERMINATE)
    sealed_too = dataclasses.replace(sealed_too, steps=(*sealed_too.steps, open_seal))
    whole = conclude(steps(integrity=(Status.INVALID, "SIGNATURE"), ses=(Status.UNKNOWN, "SES_UNTRUSTED")), NOW_US)
    found = report(dataclasses.replace(whole, signatures=(broken, sealed_too, signature())))
    assert [main for main, _ in indications(found)] == [
        MAIN[Outcome.INVALID],
        MAIN[Outcome.INDETERMINATE],
        MAIN[Outcome.VALID],
    ]
    applied = [
        {
            each.findtext(f"{VR}ValidationConstraintIdentifier", "").rpartition(":")[2]
            for each in one.iter(f"{VR}ValidationConstraint")
            if each.findtext(f"{VR}ConstraintStatus/{VR}Status", "").endswith(":applied")
        }
        for one in found.findall(f"{VR}SignatureValidationReport")
    ]
    assert not applied[0] & {"chain", "time", "seal_then", "ses", "seal_now"}
    assert [("ses" in each, "seal_now" in each) for each in applied[1:]] == [(True, False), (False, True)]


def test_what_was_not_checked_is_disabled() -> None:
    """A step that nobody looked at is a disabled constraint without a status; the others are applied and have one."""
    found = report(conclude(steps(document=(Status.NOT_CHECKED, "OFFLINE")), NOW_US))
    for constraint in found.iter(f"{VR}ValidationConstraint"):
        name = constraint.findtext(f"{VR}ValidationConstraintIdentifier")
        disabled = (
            constraint.findtext(f"{VR}ConstraintStatus/{VR}Status") == "urn:etsi:019102:constraintStatus:disabled"
        )
        assert disabled is (name == f"{OWN}:step:document")
        assert disabled is (constraint.find(f"{VR}ValidationStatus") is None)


def test_a_verdict_without_a_file() -> None:
    """Asked by hash: the report says so and has no digest of its own making; by an unreadable file: FORMAT_FAILURE."""
    by_hash = conclude_code([step("document"), step("ledger")], NOW_US, Asked.HASH)
    found = ET.fromstring(validation_report.of(by_hash, b"", NOW_US))
    assert [each.text for each in found.iter(f"{VR}DocHashOnly")] == ["true"]
    assert list(found.iter(f"{VR}SignersDocument")) == []
    unreadable = verify.judge(b"no document", trust=Trust(), now_us=NOW_US)
    ((main, subs),) = indications(report(unreadable))
    assert main == MAIN[unreadable.outcome]
    assert subs


STATUSES = st.sampled_from(list(Status))
FINDINGS = st.builds(
    lambda outcome, kind, statuses: signature(
        outcome, kind, **{name: (status, "SIGNATURE") for name, status in statuses.items()}
    ),
    st.sampled_from(list(Outcome)),
    st.sampled_from(list(SignatureKind)),
    st.dictionaries(st.sampled_from(["integrity", "signer", "chain", "time", "seal_then"]), STATUSES),
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(STEPS), st.tuples(STATUSES, st.sampled_from(["DIGEST", "NOT_REACHED", "XREF"]))),
    st.lists(FINDINGS, max_size=3),
    st.sampled_from([Form.PDF, Form.OFD, Form.HASH, Form.UNREADABLE]),
    st.sampled_from([Outcome.VALID, Outcome.INDETERMINATE]),
)
def test_never_another_verdict(failing, signatures, form, at_best) -> None:
    """Whatever the steps and signatures say: one report at least says what the verdict says, VALID is all passed, and
    TOTAL-FAILED is said of nothing that is merely not known.
    """
    base = conclude(steps(**failing), NOW_US, at_best=at_best)
    verdict = dataclasses.replace(base, signatures=tuple(signatures), form=form)
    found = indications(report(verdict))
    mains = {main for main, _ in found}
    assert MAIN[verdict.outcome] in mains
    if verdict.outcome is Outcome.VALID:
        assert mains == {MAIN[Outcome.VALID]}
    if verdict.outcome is Outcome.INDETERMINATE:
        wrong = [each for each in signatures if each.outcome is Outcome.INVALID or Status.INVALID in statuses(each)]
        assert MAIN[Outcome.INVALID] not in mains or wrong
