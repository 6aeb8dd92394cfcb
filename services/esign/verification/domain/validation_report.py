"""A verdict as a validation report of ETSI TS 119 102-2 (XML), with the indications of ETSI EN 319 102-1, clause 5.1.3.

The report says nothing that the verdict does not say. Where the standard has no sub-indication for a reason, or has one
for another main indication only, the hub's own URI stands alone: the standard leaves room for such.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from enum import StrEnum
from xml.etree import ElementTree as ET

from services.esign.domain.findings import OF_EACH
from services.esign.domain.moments import written
from services.esign.domain.verdict import (
    NOT_REACHED,
    Form,
    Outcome,
    SignatureFinding,
    SignatureKind,
    Status,
    Step,
    Verdict,
    unreached,
)

NAMESPACE = "http://uri.etsi.org/19102/v1.2.1#"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_ETSI = "urn:etsi:019102"
OWN = "urn:shuniu:verdict:1"
"""Beginning of the hub's own URIs: `…:step:<step>` for a constraint, `…:reason:<REASON>` for a sub-indication."""
# Characters that XML 1.0 cannot hold, in any spelling.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

ET.register_namespace("vr", NAMESPACE)
ET.register_namespace("ds", _DS)
REPORT_BEGINNING = b"<?xml version='1.0' encoding='utf-8'?>\n<vr:ValidationReport "
"""The beginning of each report."""


class SubIndication(StrEnum):
    """EN 319 102-1, table 6."""

    FORMAT_FAILURE = "FORMAT_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    CERTIFICATE_CHAIN_GENERAL_FAILURE = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    TIMESTAMP_ORDER_FAILURE = "TIMESTAMP_ORDER_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    REVOKED_NO_POE = "REVOKED_NO_POE"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    NO_POE = "NO_POE"
    TRY_LATER = "TRY_LATER"
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"


_S = SubIndication
TOTAL_FAILED = frozenset(
    {_S.FORMAT_FAILURE, _S.HASH_FAILURE, _S.SIG_CRYPTO_FAILURE, _S.REVOKED, _S.EXPIRED, _S.NOT_YET_VALID}
)
"""Sub-indications that the standard pairs with TOTAL-FAILED; all others come with INDETERMINATE."""

# What a step means by itself, where it is invalid and where it is unknown; None: the standard has no word for it.
OF_STEP: dict[str, tuple[SubIndication | None, SubIndication | None]] = {
    "parse": (_S.FORMAT_FAILURE, _S.SIGNED_DATA_NOT_FOUND),
    "coverage": (_S.FORMAT_FAILURE, _S.SIG_CONSTRAINTS_FAILURE),
    "changes": (_S.FORMAT_FAILURE, _S.SIG_CONSTRAINTS_FAILURE),
    "integrity": (_S.SIG_CRYPTO_FAILURE, _S.SIG_CONSTRAINTS_FAILURE),
    "signer": (None, _S.CHAIN_CONSTRAINTS_FAILURE),
    "chain": (None, _S.CERTIFICATE_CHAIN_GENERAL_FAILURE),
    "time": (None, _S.NO_POE),
    "holder": (None, _S.SIG_CONSTRAINTS_FAILURE),
    "seal_then": (_S.REVOKED, _S.TRY_LATER),
    "seal_now": (_S.REVOKED, _S.REVOKED_NO_POE),
    "document": (None, _S.SIG_CONSTRAINTS_FAILURE),
    "ledger": (None, _S.NO_POE),
    "ses": (None, _S.SIG_CONSTRAINTS_FAILURE),
}
# Reasons that say more than their step. A reason that begins with SES_ is that of the seal signature.
OF_REASON: dict[str, SubIndication] = {
    "DIGEST": _S.HASH_FAILURE,
    "CHANGED": _S.HASH_FAILURE,
    "PROTECTED_MISSING": _S.HASH_FAILURE,
    "PROTECTED_PARTS": _S.HASH_FAILURE,
    "TIMESTAMP_OF_ANOTHER": _S.HASH_FAILURE,
    "SIGNATURE": _S.SIG_CRYPTO_FAILURE,
    "TIMESTAMP_SIGNATURE": _S.SIG_CRYPTO_FAILURE,
    "CMS_ATTRIBUTES": _S.FORMAT_FAILURE,
    "CMS_EMPTY": _S.FORMAT_FAILURE,
    "CMS_SIGNER": _S.FORMAT_FAILURE,
    "CMS_SYNTAX": _S.FORMAT_FAILURE,
    "CONTENTS_TAIL": _S.FORMAT_FAILURE,
    "CERTIFICATE_MALFORMED": _S.FORMAT_FAILURE,
    "SYNTAX": _S.FORMAT_FAILURE,
    "SEAL_MALFORMED": _S.FORMAT_FAILURE,
    "NO_SIGNATURE": _S.FORMAT_FAILURE,
    "TIMESTAMP_SYNTAX": _S.FORMAT_FAILURE,
    "QR_MALFORMED": _S.FORMAT_FAILURE,
    "ALGORITHM": _S.CRYPTO_CONSTRAINTS_FAILURE,
    "TIMESTAMP_WEAK": _S.CRYPTO_CONSTRAINTS_FAILURE,
    "WEAK_ALGORITHM": _S.CRYPTO_CONSTRAINTS_FAILURE,
    "WEAK_DIGEST": _S.CRYPTO_CONSTRAINTS_FAILURE,
    "DIGEST_INSIDE": _S.CRYPTO_CONSTRAINTS_FAILURE,
    "WEAK_KEY": _S.CRYPTO_CONSTRAINTS_FAILURE,
    "SM_UNAVAILABLE": _S.CRYPTO_CONSTRAINTS_FAILURE,
    "CMS_NO_CERTIFICATE": _S.NO_SIGNING_CERTIFICATE_FOUND,
    "NO_CERTIFICATE": _S.NO_SIGNING_CERTIFICATE_FOUND,
    "SIGNER_ABSENT": _S.NO_SIGNING_CERTIFICATE_FOUND,
    "QR_KEY_UNKNOWN": _S.NO_SIGNING_CERTIFICATE_FOUND,
    "ISSUER_NOT_TRUSTED": _S.NO_CERTIFICATE_CHAIN_FOUND,
    "NO_ROOTS": _S.NO_CERTIFICATE_CHAIN_FOUND,
    "SIGNER_CLAIMED": _S.NO_CERTIFICATE_CHAIN_FOUND,
    "TIME_WITHOUT_CHAIN": _S.NO_CERTIFICATE_CHAIN_FOUND,
    "ANY_SIGNER": _S.NO_CERTIFICATE_CHAIN_FOUND,
    "CERTIFICATE_REVOKED": _S.REVOKED,
    "CERTIFICATE_REVOKED_SINCE": _S.REVOKED_NO_POE,
    "CERTIFICATE_UNCLEAR": _S.TRY_LATER,
    "MAKER_REVOKED": _S.REVOKED,
    "MAKER_REVOKED_SINCE": _S.REVOKED_NO_POE,
    "OUTSIDE_VALIDITY": _S.EXPIRED,
    "CERTIFICATE_EXPIRED": _S.EXPIRED,
    "LICENCE_EXPIRED": _S.EXPIRED,
    "NOT_YET_VALID": _S.NOT_YET_VALID,
    "TIME_NOT_PROVEN": _S.OUT_OF_BOUNDS_NO_POE,
    "MAKER_ENDED": _S.OUT_OF_BOUNDS_NO_POE,
    "SEAL_ENDED": _S.OUT_OF_BOUNDS_NO_POE,
    "SEAL_EXPIRED": _S.OUT_OF_BOUNDS_NO_POE,
    "TIME_MISSING": _S.SIG_CONSTRAINTS_FAILURE,
    "TIME_AHEAD": _S.TIMESTAMP_ORDER_FAILURE,
    "TIME_CONTRADICTED": _S.TIMESTAMP_ORDER_FAILURE,
    "TIME_IN_FUTURE": _S.TRY_LATER,
    "TIMESTAMP_IN_FUTURE": _S.TRY_LATER,
    "SEAL_UNKNOWN": _S.TRY_LATER,
    "SEAL_NOT_ASKED": _S.TRY_LATER,
    "COSIGNATURES_PENDING": _S.TRY_LATER,
    "LEDGER_AWAY": _S.TRY_LATER,
    "LOG_PENDING": _S.TRY_LATER,
    "READER_AWAY": _S.TRY_LATER,
}
# Of the document's seal, which is that of the last signature.
_OF_THE_LAST = frozenset({"seal_now"})
_MAIN = {Outcome.VALID: "total-passed", Outcome.INVALID: "total-failed", Outcome.INDETERMINATE: "indeterminate"}
_OF_CONSTRAINT = {Status.VALID: "passed", Status.INVALID: "failed", Status.UNKNOWN: "indeterminate"}


def sub_indication(step: str, status: Status, reason: str) -> SubIndication | None:
    """The standard's word for a step that is invalid or unknown; None where it has none that goes with its status."""
    invalid = status is Status.INVALID
    by_step = OF_STEP.get(step, (None, _S.SIG_CONSTRAINTS_FAILURE))[0 if invalid else 1]
    by_reason = OF_REASON.get(reason.removeprefix("SES_"))
    return next((each for each in (by_reason, by_step) if each is not None and (each in TOTAL_FAILED) is invalid), None)


def of(verdict: Verdict, sha256: bytes, at_us: int) -> bytes:
    """The report in UTF-8. `sha256`: of the file, empty where none was seen; `at_us`: when it was judged (µs).

    Document timestamps are validation objects, every other signature has a report of its own; where no signature could
    be read, one report says why. The report is unsigned: TLS protects its way from the hub.
    """
    report = ET.Element(_name("ValidationReport"))
    objects = ET.Element(_name("SignatureValidationObjects"))
    signatures = [each for each in verdict.signatures if each.kind is not SignatureKind.TIMESTAMP]
    found: list[tuple[SignatureFinding | None, tuple[Step, ...]]] = [
        (each, _own(verdict, each, is_last=each is signatures[-1])) for each in signatures
    ]
    found = found or [(None, verdict.steps)]
    reports = [_judged(verdict, each, steps) for each, steps in found]
    if verdict.outcome not in {outcome for outcome, _ in reports}:
        # A cap, or a cause outside these signatures: no report may say better than the verdict.
        reports = [(verdict.outcome, _causes(verdict.steps, verdict.outcome)) for _ in reports]
    for number, ((signature, steps), (outcome, causes)) in enumerate(zip(found, reports, strict=True), 1):
        one = _child(report, "SignatureValidationReport")
        _identifier(one, verdict, signature, number)
        _constraints(one, steps)
        _times(one, signature, at_us)
        if sha256:
            _digest(_child(one, "SignersDocument"), "DigestAlgAndValue", sha256)
        if signature is not None:
            _signer(one, objects, signature, number)
        process = _child(one, "SignatureValidationProcess")
        _child(process, "SignatureValidationProcessID", f"{OWN}:process")
        _status(_child(one, "SignatureValidationStatus"), _MAIN[outcome], causes)
    stamps = [each for each in verdict.signatures if each.kind is SignatureKind.TIMESTAMP]
    for number, stamp in enumerate(stamps, 1):
        _stamp(objects, stamp, number)
    if len(objects):
        report.append(objects)
    ET.indent(report)
    return bytes(ET.tostring(report, encoding="utf-8", xml_declaration=True))


def _own(verdict: Verdict, signature: SignatureFinding, *, is_last: bool) -> tuple[Step, ...]:
    """The steps of one signature, with those on the file as a whole. What the document's steps took from another
    signature, or say of the seal of the last one, is not this one's.
    """
    own = {step.step: step for step in signature.steps}
    others = {step for each in verdict.signatures if each is not signature for step in each.steps}
    found: list[Step] = []
    for step in verdict.steps:
        if step.step in own or step.step in OF_EACH:
            found.append(own.get(step.step) or unreached(step.step))
        elif step not in others and (is_last or step.step not in _OF_THE_LAST):
            found.append(step)
    return tuple(found)


def _judged(
    verdict: Verdict, signature: SignatureFinding | None, steps: Sequence[Step]
) -> tuple[Outcome, tuple[Step, ...]]:
    """The indication of one signature, with the steps that are its causes."""
    if verdict.outcome is Outcome.VALID or signature is None:
        return verdict.outcome, _causes(steps, verdict.outcome)
    statuses = {step.status for step in steps}
    if Status.INVALID in statuses or signature.outcome is Outcome.INVALID:
        outcome = Outcome.INVALID
    elif (
        Status.UNKNOWN in statuses
        or signature.outcome is not Outcome.VALID
        or any(step.reason == NOT_REACHED for step in steps)
    ):
        outcome = Outcome.INDETERMINATE
    else:
        outcome = Outcome.VALID
    return outcome, _causes(steps, outcome)


def _causes(steps: Iterable[Step], outcome: Outcome) -> tuple[Step, ...]:
    if outcome is Outcome.VALID:
        return ()
    wanted = Status.INVALID if outcome is Outcome.INVALID else Status.UNKNOWN
    found = tuple(step for step in steps if step.status is wanted)
    # Where nothing else speaks: what nobody looked at, as was asked, or what could not be reached.
    return found or tuple(step for step in steps if step.reason in {"ANY_SIGNER", NOT_REACHED})


def _identifier(one: ET.Element, verdict: Verdict, signature: SignatureFinding | None, number: int) -> None:
    only_a_hash = verdict.form is Form.HASH
    if signature is None and not only_a_hash:
        return
    identifier = _child(one, "SignatureIdentifier")
    identifier.set("id", f"signature-{number}")
    _child(identifier, "HashOnly", "false")
    _child(identifier, "DocHashOnly", "true" if only_a_hash else "false")
    if signature is not None:
        _child(identifier, "DAIdentifier", signature.name)


def _constraints(one: ET.Element, steps: Iterable[Step]) -> None:
    all_of_them = _child(one, "ValidationConstraintsEvaluationReport")
    for step in steps:
        constraint = _child(all_of_them, "ValidationConstraint")
        _child(constraint, "ValidationConstraintIdentifier", f"{OWN}:step:{step.step}")
        applied = "disabled" if step.status is Status.NOT_CHECKED else "applied"
        _child(_child(constraint, "ConstraintStatus"), "Status", f"{_ETSI}:constraintStatus:{applied}")
        if step.status in _OF_CONSTRAINT:
            causes = () if step.status is Status.VALID else (step,)
            _status(_child(constraint, "ValidationStatus"), _OF_CONSTRAINT[step.status], causes)
        _child(constraint, "Indications", step.text)


def _status(status: ET.Element, main: str, causes: Iterable[Step]) -> None:
    _child(status, "MainIndication", f"{_ETSI}:mainindication:{main}")
    standard: list[str] = []
    own: list[str] = []
    for step in causes:
        word = sub_indication(step.step, step.status, step.reason)
        if word is not None:
            standard.append(f"{_ETSI}:subindication:{word}")
        own.append(f"{OWN}:reason:{step.reason}")
    for uri in dict.fromkeys((*standard, *own)):
        _child(status, "SubIndication", uri)


def _times(one: ET.Element, signature: SignatureFinding | None, at_us: int) -> None:
    """Best signature time: the earliest proof, else the time of validation (EN 319 102-1, 5.5.4)."""
    times = _child(one, "ValidationTimeInfo")
    _child(times, "ValidationTime", written(at_us))
    proven_us = None if signature is None else signature.proven_us
    best = _child(times, "BestSignatureTime")
    _child(best, "POETime", written(at_us if proven_us is None else proven_us))
    _child(best, "TypeOfProof", f"{_ETSI}:poetype:validation")


def _signer(one: ET.Element, objects: ET.Element, signature: SignatureFinding, number: int) -> None:
    if signature.claimed_us is not None:
        time = _child(_child(one, "SignatureAttributes"), "SigningTime")
        time.set("Signed", "true")
        _child(time, "Time", written(signature.claimed_us))
    if not signature.signer:
        return
    information, known = _child(one, "SignerInformation"), f"certificate-{number}"
    _child(information, "SignerCertificate").set("VOReference", known)
    _child(information, "Signer", signature.signer)
    certificate = _object(objects, known, "certificate")
    named = ET.SubElement(_child(certificate, "direct"), f"{{{_DS}}}X509Data")
    subject = ET.SubElement(named, f"{{{_DS}}}X509SubjectName")
    subject.text = f"CN={_rfc4514(_writable(signature.signer))}"


def _stamp(objects: ET.Element, stamp: SignatureFinding, number: int) -> None:
    representation = _object(objects, f"timestamp-{number}", "timestamp")
    _child(representation, "direct", stamp.name)
    if stamp.proven_us is not None:
        proof = _child(objects[-1], "POE")
        _child(proof, "POETime", written(stamp.proven_us))
        _child(proof, "TypeOfProof", f"{_ETSI}:poetype:validation")
    report = _child(objects[-1], "ValidationReport")
    causes = _causes(stamp.steps, stamp.outcome)
    main = {Outcome.VALID: "passed", Outcome.INVALID: "failed"}.get(stamp.outcome, "indeterminate")
    _status(_child(report, "SignatureValidationStatus"), main, causes)


def _object(objects: ET.Element, known: str, kind: str) -> ET.Element:
    """A new validation object; its representation, to be filled."""
    found = _child(objects, "ValidationObject")
    found.set("id", known)
    _child(found, "ObjectType", f"{_ETSI}:validationObject:{kind}")
    return _child(found, "ValidationObjectRepresentation")


def _digest(parent: ET.Element, name: str, sha256: bytes) -> None:
    digest = _child(parent, name)
    ET.SubElement(digest, f"{{{_DS}}}DigestMethod").set("Algorithm", _SHA256)
    ET.SubElement(digest, f"{{{_DS}}}DigestValue").text = b64encode(sha256).decode("ascii")


def _child(parent: ET.Element, name: str, text: str = "") -> ET.Element:
    found = ET.SubElement(parent, _name(name))
    if text:
        found.text = _writable(text)
    return found


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


def _writable(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _rfc4514(value: str) -> str:
    """The characters that mean something in a distinguished name, escaped (RFC 4514, 2.4)."""
    escaped = re.sub(r'(["+,;<>\\=])', r"\\\1", value)
    return re.sub(r"^([# ])|( )$", lambda found: "\\" + (found[1] or found[2]), escaped)
