"""One verdict object, whoever asks and however: it has the published form, and the contract has the same members."""

import dataclasses
import json
import re
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st

from services.esign.certification.domain import pki
from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import (
    SCHEMA,
    STEPS,
    Form,
    Outcome,
    Sentence,
    SignatureFinding,
    SignatureKind,
    Status,
    Step,
    conclude,
)
from services.esign.licences.domain import check as licence_check
from services.esign.verification.domain import validation_report, verify
from services.esign.verification.domain.code_verdict import Asked, conclude_code
from services.esign.verification.domain.sentences import verdict_words
from services.esign.verification.domain.validation_report import NAMESPACE
from shuniu.api.esign.v1 import esign_pb2 as pb
from tests.support.client_library import PROJECT, ROOT
from tests.support.esign import NOW_US, sealed, setting, small_pdf
from tests.support.hub import command
from tests.support.licence_land import licence_land
from tests.support.seal_land import seal_land

FORM = json.loads((ROOT / "docs" / "verdict.schema.json").read_text("utf-8"))
PAGE = (ROOT / "docs" / "verdict.md").read_text("utf-8")
VALIDATOR = jsonschema.Draft202012Validator(FORM)
# What only JSON says: the contract has its version in the package's name, and other places for the rest.
OF_JSON_ALONE = {"error", "schema", "file", "sha256", "claims"}
STATUS = f"{{{NAMESPACE}}}SignatureValidationStatus"
MAIN = {"VALID": "total-passed", "INVALID": "total-failed", "INDETERMINATE": "indeterminate"}


LISTED = {
    (reason.replace("…", "[A-Z]+"), status)
    for reason, status_cell in re.findall(r"^\| `([A-Z_…]+)` \| [^|]* \| ([a-z_, ]+) \|", PAGE, re.MULTILINE)
    for status in status_cell.split(", ")
}


def answered(told: dict[str, Any]) -> dict[str, Any]:
    """What one of the doors answers: it has the form, and the page on verdicts lists each reason with its status."""
    steps = [*told["steps"], *(step for each in told["signatures"] for step in each["steps"])]
    for step in steps:
        found = any(step["status"] == status and re.fullmatch(reason, step["reason"]) for reason, status in LISTED)
        assert found, (step["step"], step["status"], step["reason"])
    return follows(told)


def follows(told: dict[str, Any]) -> dict[str, Any]:
    """The object, which has the published form and no member that is not published."""
    VALIDATOR.validate(told)
    unpublished(told, FORM)
    return told


def unpublished(told: Any, form: dict[str, Any]) -> None:
    """Readers ignore what they do not know; the hub says nothing that is not published."""
    form = FORM["$defs"][form["$ref"].rpartition("/")[2]] if "$ref" in form else form
    if isinstance(told, list):
        for each in told:
            unpublished(each, form["items"])
    elif isinstance(told, dict) and "properties" in form:
        assert set(told) <= set(form["properties"]), set(told) - set(form["properties"])
        for name, value in told.items():
            unpublished(value, form["properties"][name])


@pytest.fixture
def online(monkeypatch) -> Any:
    """How the client library reads what REST answers."""
    monkeypatch.syspath_prepend(str(PROJECT / "src"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "shuniu_client"]:
        monkeypatch.delitem(sys.modules, name)
    from shuniu_client import online

    return online


def as_rest(message: Any) -> dict[str, Any]:
    """As the edge writes it: protobuf's JSON, zeros included."""
    found: dict[str, Any] = MessageToDict(message, always_print_fields_with_no_presence=True)
    return found


def test_the_form_is_a_schema_with_the_codes_version() -> None:
    """The published file is a JSON Schema 2020-12, named and versioned as the verdicts are."""
    jsonschema.Draft202012Validator.check_schema(FORM)
    assert (FORM["$id"], FORM["properties"]["schema"]["const"]) == (SCHEMA, SCHEMA)


def test_the_form_lists_what_the_code_knows() -> None:
    """Every outcome, status, form, kind and step of the code is in the form, and no other."""
    parts = FORM["$defs"]
    assert parts["outcome"]["enum"] == [outcome.value for outcome in Outcome]
    assert parts["step"]["properties"]["status"]["enum"] == [status.value for status in Status]
    assert FORM["properties"]["form"]["examples"] == [form.value for form in Form]
    assert parts["signature"]["properties"]["kind"]["examples"] == [kind.value for kind in SignatureKind]
    assert set(parts["step"]["properties"]["step"]["examples"]) == {*STEPS, *licence_check.STEPS}
    told = FORM["properties"]["steps"]["description"]
    for steps in (STEPS, licence_check.STEPS):
        assert ", ".join(steps) in told


@pytest.mark.parametrize(
    ("message", "part"),
    [
        (pb.Verdict, FORM),
        (pb.VerdictStep, FORM["$defs"]["step"]),
        (pb.SignatureReport, FORM["$defs"]["signature"]),
        (pb.Sentence, FORM["$defs"]["sentence"]),
        (pb.VerdictSummary, FORM["properties"]["summary"]),
    ],
    ids=lambda each: getattr(getattr(each, "DESCRIPTOR", None), "name", ""),
)
def test_the_contract_has_the_same_members(message: Any, part: dict[str, Any]) -> None:
    """Fields of the contract and members of the JSON agree one to one, in name and in what they hold."""
    fields = {field.name: field for field in message.DESCRIPTOR.fields}
    members = {name: each for name, each in part["properties"].items() if name not in OF_JSON_ALONE}
    assert set(fields) == set(members)
    for name, member in members.items():
        types = {each.get("$ref", each.get("type")) for each in member.get("oneOf", [member])} - {"null"}
        field = fields[name]
        if field.is_repeated and not (field.message_type and field.message_type.GetOptions().map_entry):
            assert types == {"array"}, name
        elif field.message_type is None:
            wanted = "boolean" if field.type == field.TYPE_BOOL else "string"
            assert types in ({wanted}, {"#/$defs/outcome"}, {None}), name
        elif field.message_type.full_name == "google.protobuf.Timestamp":
            assert types == {"#/$defs/instant"}, name
        else:
            assert types in ({"object"}, {"#/$defs/sentence"}), name


def test_verdicts_on_files_have_the_form() -> None:
    """Good, changed, of an unknown issuer, unreadable, empty: each has the form, and the shipped steps in order."""
    data, trust = sealed(), Trust((setting().root.certificate,))
    outcomes = set()
    for document, by in (
        (data, trust),
        (data + b"\n%more", trust),
        (data, Trust()),
        (b"hello", trust),
        (b"", trust),
        (sealed()[:-300], trust),
        (small_pdf(), trust),
    ):
        told = answered(verdict_words.as_json(verify.judge(document, trust=by, now_us=NOW_US)))
        assert tuple(step["step"] for step in told["steps"]) == STEPS
        outcomes.add(told["verdict"])
    assert {"VALID", "INDETERMINATE"} < outcomes


def test_a_step_that_nobody_made_is_not_checked_and_makes_nothing_valid() -> None:
    """`unknown` is said of what was looked at; a verdict that lacks any step is INDETERMINATE at best, whichever it is."""
    for lacking in STEPS:
        made = [Step(name, Status.VALID, "OK", "好", "well") for name in STEPS if name != lacking]
        found = conclude(made, NOW_US)
        assert (found.outcome, found.step(lacking).status) == (Outcome.INDETERMINATE, Status.NOT_CHECKED)
        assert b"total-passed" not in validation_report.of(found, b"", NOW_US)


STATUSES = st.sampled_from(list(Status))
SENTENCES = st.builds(Sentence, st.just("说明"), st.just("text"))
FOUND = st.lists(
    st.builds(
        Step,
        st.sampled_from(STEPS),
        STATUSES,
        st.sampled_from(["XREF", "DIGEST", "OFFLINE"]),
        st.just("说"),
        st.just("t"),
    ),
    unique_by=lambda step: step.step,
)
TIMES = st.none() | st.integers(0, 4 * 10**15)
SIGNATURES = st.lists(
    st.builds(
        SignatureFinding,
        name=st.text(max_size=5),
        kind=st.sampled_from(list(SignatureKind)),
        outcome=st.sampled_from(list(Outcome)),
        covers=SENTENCES,
        signer=st.text(max_size=5),
        issuer=st.text(max_size=5),
        certified=st.booleans(),
        claimed_us=TIMES,
        proven_us=TIMES,
        later=st.lists(SENTENCES, max_size=2).map(tuple),
        steps=FOUND.map(tuple),
    ),
    max_size=2,
)


@settings(deadline=None)
@given(FOUND, SIGNATURES, st.sampled_from(list(Form)), st.integers(0, 4 * 10**15))
def test_every_verdict_has_the_form(
    steps: list[Step], signatures: list[SignatureFinding], form: Form, at_us: int
) -> None:
    """Whatever was found, of files, codes, hashes and numbers."""
    file = dataclasses.replace(conclude(steps, at_us), signatures=tuple(signatures), form=form)
    follows(verdict_words.as_json(file))
    for asked in Asked:
        follows(verdict_words.as_json(conclude_code(steps, at_us, asked)))


def good() -> dict[str, Any]:
    return verdict_words.as_json(verify.judge(sealed(), trust=Trust((setting().root.certificate,)), now_us=NOW_US))


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "urn:shuniu:verdict:2"},
        {"verdict": "TRUE"},
        {"verdict": "INVALID"},
        {"as_of": "2026-06-01T04:00:00+08:00"},
        {"steps": []},
        {"steps": [{"step": "parse", "status": "maybe", "reason": "X", "text": "t"}]},
        {"summary": {"verdict": {"zh": "好"}, "cause": None, "advice": {"zh": "好", "en": "good"}}},
        {"summary": None},
        {"signatures": [{}]},
        {"sha256": "AB"},
    ],
    ids=str,
)
def test_what_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    """The form is no empty promise: another version, a verdict that its steps do not give, a sentence in one language."""
    VALIDATOR.validate(good())
    assert list(VALIDATOR.iter_errors({**good(), **change}))


def test_readers_may_meet_more() -> None:
    """Members, steps and reasons that come later in version 1 do not break a reader of today."""
    more = {"step": "colour", "status": "valid", "reason": "NEW_REASON", "text": "新 / new"}
    VALIDATOR.validate({**good(), "later": 1, "steps": [*good()["steps"], more], "form": "epub"})


async def test_every_way_of_asking_the_service(online: Any) -> None:
    """Upload, SHA-256, number and QR code at the service, read as the client library reads REST: one form; asked for a
    report, the upload brings one that says the same.
    """
    async with seal_land() as land:
        seal = await land.active()
        document = await land.downloaded((await land.issue("NMG202606010001", seal.id)).number)
        certificate, digest = document.certificate, sha256(document.pdf).hexdigest()
        asked = land.verification
        upload = await asked.VerifyDocument(pb.VerifyDocumentRequest(pdf=document.pdf, report=True), timeout=30)
        answers = {
            "upload": upload,
            "changed": await asked.VerifyDocument(pb.VerifyDocumentRequest(pdf=document.pdf + b"%"), timeout=30),
            "hash": await asked.VerifyByHash(pb.VerifyByHashRequest(hash=digest)),
            "unknown number": await asked.VerifyByNumber(
                pb.VerifyByNumberRequest(number="1500002026999999", hash_tail=digest[-8:])
            ),
            "unknown hash": await asked.VerifyByHash(pb.VerifyByHashRequest(hash="0" * 64)),
            "number": await asked.VerifyByNumber(
                pb.VerifyByNumberRequest(number=certificate.number, issued_on=certificate.issued_on)
            ),
            "qr": await asked.VerifyQr(pb.VerifyQrRequest(content=certificate.qr)),
            "no qr": await asked.VerifyQr(pb.VerifyQrRequest(content="https://elsewhere.example/")),
        }
    told = {name: answered(online._verdict(as_rest(answer)).as_json()) for name, answer in answers.items()}
    forms = {name: each["form"] for name, each in told.items()}
    assert forms == {
        "upload": "pdf",
        "changed": "pdf",
        "hash": "hash",
        "unknown number": "number",
        "unknown hash": "hash",
        "number": "number",
        "qr": "code",
        "no qr": "code",
    }
    assert [told[name]["verdict"] for name in ("upload", "hash", "number", "qr")] == ["VALID"] * 4
    assert told["upload"]["document"]["number"] == certificate.number
    mains = re.findall(rb"mainindication:(total-[a-z]+|indeterminate)", upload.validation_report)
    assert set(mains) == {b"total-passed"}
    assert answers["changed"].validation_report == b""


def test_a_wrong_argument_of_a_question_is_told_in_one_sentence(online: Any) -> None:
    """A text instead of a file's bytes or of a date: told before anything is sent, in both languages."""
    hub = online.Hub("https://hub.example")
    for ask in (lambda: hub.verify_document("证明.pdf"), lambda: hub.verify_number("1500", issued_on="2026-12-01")):
        with pytest.raises(TypeError, match=r"请给出 ?.* / .*: give "):
            ask()


async def test_a_licence_has_the_form(online: Any) -> None:
    """A presented licence, good and broken, at the service."""
    async with licence_land() as land:
        wallet, _ = await land.in_wallet()
        for answer in (await land.shown(wallet), await land.verified("garbage", await land.nonce())):
            told = answered(online._verdict(as_rest(answer)).as_json())
            assert tuple(step["step"] for step in told["steps"]) == licence_check.STEPS


async def test_the_command_line_has_the_form(tmp_path: Path) -> None:
    """`shuniu verify --json`: good, changed, no document at all; each line has the form and names its file; the report
    says what the verdict says.
    """
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "root.pem").write_bytes(pki.certificate_pem(setting().root.certificate))
    files = {"good.pdf": sealed(), "changed.pdf": sealed() + b"%", "text.pdf": b"hello"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        where = ("--trust", str(tmp_path / "trust"), "--data", str(tmp_path / "no-hub"))
        report = tmp_path / f"{name}.xml"
        ran = await command("verify", str(tmp_path / name), "--json", "--report", str(report), *where)
        told = answered(json.loads(ran.out))
        assert (Path(told["file"]).name, told["sha256"]) == (name, sha256(data).hexdigest())
        mains = ET.fromstring(report.read_bytes()).findall(f".//{STATUS}/{{{NAMESPACE}}}MainIndication")
        assert {main.text.rpartition(":")[2] for main in mains} == {MAIN[told["verdict"]]}
