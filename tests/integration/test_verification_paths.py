"""Every way of asking about a document, and that each of them sees a change at once."""

import asyncio
import contextlib
import re
from functools import partial
from hashlib import sha256

import grpc
import pytest
from google.type.date_pb2 import Date
from sqlalchemy import update

from services.esign.documents.store.certificates import certificate
from services.esign.domain.verdict import STEPS
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.kit.crypto.sm import sm3
from shuniu.kit.errors import Code, HubError
from shuniu.kit.rpc.client import error_of
from shuniu.kit.rpc.network import SENDER_HEADER
from tests.support.seal_land import AGENCY, PERSON_NAME, SealLand, rid, seal_land

CASE = "NMG202606010001"


@pytest.fixture
async def land():
    async with seal_land() as it:
        yield it


async def asked(call, request):
    try:
        return (await call(request, timeout=20)).verdict
    except grpc.aio.AioRpcError as failure:
        raise error_of(failure) from None


async def by_hash(land: SealLand, digest: str):
    return await asked(land.verification.VerifyByHash, pb.VerifyByHashRequest(hash=digest))


async def by_number(land: SealLand, number: str, *, day=None, tail="", network=""):
    request = pb.VerifyByNumberRequest(number=number, hash_tail=tail)
    if day is not None:
        request.issued_on.CopyFrom(day)
    metadata = ((SENDER_HEADER, network),) if network else ()
    return await asked(partial(land.verification.VerifyByNumber, metadata=metadata), request)


async def every_path(land: SealLand, document: pb.DownloadCertificateResponse):
    """Path → verdict."""
    told, digest = document.certificate, sha256(document.pdf).hexdigest()
    return {
        "upload": await land.verdict(document.pdf),
        "upload with its receipt": await land.verdict(document.pdf, document.tlog_proof),
        "SHA-256": await by_hash(land, digest),
        "SM3": await by_hash(land, sm3(document.pdf).hex().upper()),
        "number and date": await by_number(land, told.number, day=told.issued_on),
        "number and hash": await by_number(land, told.number, tail=digest[-8:]),
        "number and SM3": await by_number(land, told.number, tail=sm3(document.pdf).hex()[-8:]),
        "QR": await asked(land.verification.VerifyQr, pb.VerifyQrRequest(content=told.qr)),
    }


async def issued(land: SealLand, case: str = CASE) -> pb.DownloadCertificateResponse:
    seal = await land.active()
    return await land.downloaded((await land.issue(case, seal.id)).number)


async def test_a_revocation_shows_at_once_on_every_path(land):
    """Valid by upload, hash, number and QR code; withdrawn, the very next question is answered INVALID by each."""
    document = await issued(land)
    before = await every_path(land, document)
    assert {path: verdict.verdict for path, verdict in before.items()} == dict.fromkeys(before, "VALID")
    request = pb.RevokeCertificateRequest(request_id=rid(), number=document.certificate.number, reason="签发有误")
    await land.documents.RevokeCertificate(request, metadata=AGENCY)
    for path, verdict in (await every_path(land, document)).items():
        steps = {step.step: step for step in verdict.steps}
        assert (path, verdict.verdict, steps["document"].reason) == (path, "INVALID", "DOCUMENT_REVOKED")


async def test_a_suspended_seal_shows_at_once_and_takes_nothing_back(land):
    """The same upload again, cached or not, says how the seal stands now; what it sealed before stays valid."""
    document = await issued(land)
    for path, verdict in (await every_path(land, document)).items():
        assert "SEAL_ACTIVE" in {step.reason for step in verdict.steps if step.step == "seal_now"}, path
    (seal,) = (await land.owner.ListSeals(pb.ListSealsRequest(), metadata=AGENCY)).seals
    await land.changed(seal.id, pb.SEAL_STATE_SUSPENDED)
    for path, verdict in (await every_path(land, document)).items():
        (now,) = [step for step in verdict.steps if step.step == "seal_now"]
        assert (path, verdict.verdict, now.reason.startswith("SEAL_SUSPENDED")) == (path, "VALID", True)


async def test_the_issuing_organisation_is_named_on_every_path(land):
    """Beside the code of its platform: the name that its seal was made out to, which is the one on the paper. A hash
    alone tells the state: all hashes stand in the public ledger.
    """
    document = await issued(land)
    (seal,) = (await land.owner.ListSeals(pb.ListSealsRequest(), metadata=AGENCY)).seals
    for path, verdict in (await every_path(land, document)).items():
        if path in {"SHA-256", "SM3"}:
            assert (path, dict(verdict.document)) == (path, {})
            continue
        assert (path, verdict.document["issuer_name"]) == (path, seal.name)
        assert verdict.document["issuer"] != seal.name
        assert PERSON_NAME not in dict(verdict.document).values()
    signed = (await land.verdict(document.pdf)).signatures[0]
    assert (signed.signer, signed.certified) == (seal.name, True)


async def test_what_was_not_looked_at_is_named(land):
    """By hash or number twelve steps come in order; those on content are not_checked and say that no file was seen."""
    document = await issued(land)
    verdicts = await every_path(land, document)
    for path in ("SHA-256", "number and date"):
        steps = {step.step: step for step in verdicts[path].steps}
        assert tuple(steps) == STEPS
        unseen = {name for name, step in steps.items() if step.status == "not_checked"}
        assert unseen == {"parse", "coverage", "changes", "integrity", "signer", "chain", "time", "ses"}
        assert {steps[name].reason for name in unseen} == {"FILE_NOT_SEEN"}
        assert all(steps[name].status == "valid" for name in set(STEPS) - unseen)
    assert PERSON_NAME.encode() not in b"".join(one.SerializeToString() for one in verdicts.values())


async def test_an_unknown_hash_is_no_verdict_on_the_document(land):
    """Neither valid nor invalid: INDETERMINATE, with the reason, and no step tells of an original that is not there; what
    is no hash is refused.
    """
    document = await issued(land)
    changed = sha256(document.pdf + b"\n").hexdigest()
    for digest in (changed, sm3(b"other").hex()):
        verdict = await by_hash(land, digest)
        assert (verdict.verdict, verdict.steps[STEPS.index("document")].reason) == ("INDETERMINATE", "DOCUMENT_UNKNOWN")
        assert not verdict.document
        assert not re.search("原件|已存证|本枢纽签发", "".join(s.zh for s in verdict.steps if s.step != "document"))
        unasked = {step.step for step in verdict.steps if step.reason == "NOTHING_REGISTERED"}
        assert unasked == {"seal_then", "seal_now", "ledger"}
    for wrong in ("", "abc", "g" * 64, "0" * 65):
        with pytest.raises(HubError) as caught:
            await by_hash(land, wrong)
        assert [one.reason for one in caught.value.violations] == ["HASH_FORM"]


async def test_the_seal_of_a_document_that_is_not_registered_is_looked_up(land):
    """Signed with an active seal of this hub and not registered: nobody says that the hub does not know the seal or did
    not issue the document; how the seal stands now is said, its state at signing is not known. The verdict is
    INDETERMINATE.
    """
    document = (await issued(land)).pdf
    (seal,) = (await land.owner.ListSeals(pb.ListSealsRequest(), metadata=AGENCY)).seals
    await land.base.store.write(lambda conn: conn.execute(update(certificate).values(sha256="00" * 32)))
    for state, status in ((pb.SEAL_STATE_ACTIVE, "valid"), (pb.SEAL_STATE_SUSPENDED, "unknown")):
        if state != pb.SEAL_STATE_ACTIVE:
            await land.changed(seal.id, state)
        verdict = await land.verdict(document)
        steps = {step.step: step for step in verdict.steps}
        name = pb.SealState.Name(state).removeprefix("SEAL_STATE_")
        assert verdict.verdict == "INDETERMINATE"
        assert (steps["seal_now"].status, steps["seal_now"].reason) == (status, f"SEAL_{name}")
        assert "SEAL_UNKNOWN" not in {step.reason for step in verdict.steps}
    told = verdict.summary
    assert "不是由本枢纽签发" not in f"{told.verdict.zh}{told.cause.zh}"


async def test_numbers_cannot_be_tried_out(land):
    """A wrong date is answered like a number that does not exist, and after ten tries not at all; other documents and
    other ways of asking are not affected.
    """
    document = await issued(land)
    number, right = document.certificate.number, document.certificate.issued_on
    wrong = type(right)(year=right.year - 1, month=right.month, day=right.day)
    no_such, bad_date = await by_number(land, "150000209900001", day=right), await by_number(land, number, day=wrong)
    for each in (no_such, bad_date):
        each.ClearField("as_of")
    assert no_such == bad_date
    assert (bad_date.verdict, dict(bad_date.document)) == ("INDETERMINATE", {})
    assert (await by_number(land, number, day=wrong, tail=sha256(document.pdf).hexdigest())).verdict == "INDETERMINATE"
    for _ in range(8):
        await by_number(land, number, tail="0" * 8)
    for day in (wrong, right):
        with pytest.raises(HubError) as caught:
            await by_number(land, number, day=day)
        assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "NUMBER_GUESSED")
    assert (await land.verdict(document.pdf)).verdict == "VALID"
    assert (await by_number(land, "150000209900001", day=right)).verdict == "INDETERMINATE"
    assert (await by_number(land, number, day=right, network="198.51.100.7")).verdict == "VALID"


async def test_the_register_is_not_listed_by_what_the_ledger_publishes(land):
    """Numbers follow one another, and the ledger has day and hash of each document in their order: who goes through them is
    told of few, in whichever order he tries, and whoever asks from elsewhere is answered.
    """
    document = await issued(land)
    number, day = document.certificate.number, document.certificate.issued_on
    thief, told = "203.0.113.9", 0
    for each in range(40):
        with contextlib.suppress(HubError):
            await by_number(land, f"{int(number) + each}", day=day, network=thief)
            told += 1
    assert told == 20
    with pytest.raises(HubError) as caught:
        await by_number(land, f"{int(number) + 99}", tail="0" * 8, network=thief)
    assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "NUMBERS_TRIED")
    assert (await by_number(land, number, day=day, network="198.51.100.7")).verdict == "VALID"


async def test_tries_of_a_number_at_once_are_no_more_than_in_turn(land):
    """Forty wrong ones together get ten answers; none of the rest is looked up."""
    number = (await issued(land)).certificate.number
    wrong = [by_number(land, number, tail=f"{each:08x}") for each in range(40)]
    found = await asyncio.gather(*wrong, return_exceptions=True)
    refused = [each.reason for each in found if isinstance(each, HubError)]
    assert refused == ["NUMBER_GUESSED"] * 30


async def test_a_number_is_found_as_people_type_it(land):
    """Full-width digits of an input method, blanks, the label that stands before it on paper, and a hash in the same way;
    what is no number is told by what a number is.
    """
    document = await issued(land)
    number, day = document.certificate.number, document.certificate.issued_on
    digest = sha256(document.pdf).hexdigest()
    wide = {ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789abcdef"}
    for typed in (number.translate(wide), f" {number[:4]} {number[4:]}\u3000", f"证明编号：{number}", f"No. {number}"):
        assert (await by_number(land, typed, day=day)).verdict == "VALID"
    assert (await by_number(land, number, tail=digest[-8:].translate(wide))).verdict == "VALID"
    request = pb.VerifyByHashRequest(hash=f"{digest[:32].translate(wide)} {digest[32:].upper()}")
    assert (await asked(land.verification.VerifyByHash, request)).verdict == "VALID"
    with pytest.raises(HubError) as caught:
        await by_number(land, "第十五号证明", day=day)
    (fault,) = caught.value.violations
    assert "数字" in fault.zh


async def test_a_code_without_content_is_a_wrong_question(land):
    """As an empty hash and an empty document are."""
    for content in ("", " \n"):
        with pytest.raises(HubError) as caught:
            await asked(land.verification.VerifyQr, pb.VerifyQrRequest(content=content))
        assert [(one.field, one.reason) for one in caught.value.violations] == [("content", "QR_EMPTY")]
        assert caught.value.zh == "content：请填写二维码的内容。"


async def test_a_number_alone_is_not_enough(land):
    """Every fault of the question is named."""
    for fields, reasons in (
        ({"number": "12345"}, {"PROOF_MISSING"}),
        ({"number": "'; --", "hash_tail": "12"}, {"NUMBER_FORM", "HASH_TAIL_FORM"}),
        ({"number": "x" * 40}, {"NUMBER_FORM", "PROOF_MISSING"}),
        ({"number": "12345", "issued_on": Date(year=2026, month=13, day=1)}, {"DATE_FORM"}),
        ({"number": "12345", "issued_on": Date(year=2026)}, {"DATE_FORM"}),
    ):
        with pytest.raises(HubError) as caught:
            await asked(land.verification.VerifyByNumber, pb.VerifyByNumberRequest(**fields))
        assert {one.reason for one in caught.value.violations} == reasons
