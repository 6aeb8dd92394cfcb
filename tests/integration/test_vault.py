"""The vault as a real process: found again by index, encrypted at rest, counted and recorded, never listed."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator

import grpc
import pytest

from shuniu.api.common.v1 import operations_pb2, operations_pb2_grpc
from shuniu.api.identity.v1 import vault_pb2 as pb
from shuniu.api.identity.v1 import vault_pb2_grpc
from shuniu.kit.crypto import sealing
from shuniu.kit.rpc.client import error_of
from shuniu.national_numbers import citizen_check
from tests.support.identity_land import IdentityLand, PlatformKeys, identity_land, request_id

NUMBER = "11010519491231002X"
RECORD = {"document_type": "111", "document_number": NUMBER, "full_name": "乌云其木格"}
RECEIVER = PlatformKeys("bureau")


@pytest.fixture(scope="module")
def land() -> Iterator[IdentityLand]:
    with identity_land(vault={"daily_quota": 3}, parts=("vault",)) as started:
        yield started


def receiver_jwk() -> str:
    return json.dumps(RECEIVER.sealing.as_dict(private=False))


async def put(stub, *, confirm: bool = True, **changed) -> pb.PutPersonResponse:
    record = pb.VaultRecord(**{**RECORD, **changed})
    return await stub.PutPerson(pb.PutPersonRequest(request_id=request_id(), record=record, confirm=confirm))


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return error_of(failure.value)


async def test_one_document_is_one_person_and_looking_keeps_nothing(land):
    """Unknown: no id; confirmed: a random id; again, also with the old spelling: the same id."""
    async with land.channel("vault.peer", "identity") as channel:
        stub = vault_pb2_grpc.VaultServiceStub(channel)
        looked = await put(stub, confirm=False)
        assert (looked.person_id, looked.known) == ("", False)
        first = await put(stub)
        assert (len(first.person_id), first.known, first.display_name) == (22, False, "乌****")
        again = await put(stub, document_number="110105491231002", document_type="112")
        assert (again.person_id, again.known) == (first.person_id, True)
        bad = await refused(put(stub, document_number="110105194912310021", full_name=""))
        assert {each.field for each in bad.violations} == {"record.document_number", "record.full_name"}


async def _of(call):
    return await call


async def test_fields_open_for_the_receiver_alone_and_the_quota_ends_it(land):
    """Sealed to the given key; so many a day for a receiver and purpose, another purpose counts apart."""
    async with land.channel("vault.peer", "identity") as channel:
        stub = vault_pb2_grpc.VaultServiceStub(channel)
        person = (await put(stub)).person_id

        def wanted(**changed) -> pb.SealFieldsRequest:
            usual = {
                "person_id": person,
                "fields": ["document_number", "full_name"],
                "receiver_jwk": receiver_jwk(),
                "receiver": "bureau",
                "purpose": "case",
            }
            return pb.SealFieldsRequest(**{**usual, **changed})

        # At once, as a rush would: three are sealed, however many ask.
        rush = [stub.SealFields(wanted()) for _ in range(30)]
        done = await asyncio.gather(*(_of(call) for call in rush), return_exceptions=True)
        sealed_ones = [each for each in done if isinstance(each, pb.SealFieldsResponse)]
        assert len(sealed_ones) == 3
        answer = sealed_ones[0]
        opened = sealing.unseal(RECEIVER.sealing, answer.sealed.jwe)
        assert opened == {"document_number": NUMBER, "full_name": "乌云其木格"}
        assert NUMBER not in answer.sealed.jwe
        error = await refused(stub.SealFields(wanted()))
        assert (error.reason, error.metadata) == ("VAULT_QUOTA", {"receiver": "bureau", "purpose": "case"})
        assert (await stub.SealFields(wanted(purpose="document"))).sealed.receiver == "bureau"
        for changed, reason in (
            ({"person_id": "x" * 22}, "PERSON_UNKNOWN"),
            ({"fields": ["face"], "purpose": "p"}, "FIELD_UNKNOWN"),
            ({"fields": [], "purpose": "p"}, "FIELD_UNKNOWN"),
            ({"receiver_jwk": "{}", "purpose": "p"}, "RECEIVER_KEY_INVALID"),
            ({"receiver_jwk": "[" * 9999, "purpose": "p"}, "RECEIVER_KEY_INVALID"),
            ({"purpose": "for \u202e"}, "NAME_FORM"),
            ({"receiver": ""}, "NAME_FORM"),
        ):
            assert (await refused(stub.SealFields(wanted(**{"purpose": "other", **changed})))).reason == reason


async def test_a_candidate_is_sealed_and_not_kept(land):
    """First proof: the authority can read it, the vault forgets it."""
    body = "13012119990101888"
    number = body + citizen_check(body)
    async with land.channel("vault.peer", "identity") as channel:
        stub = vault_pb2_grpc.VaultServiceStub(channel)
        record = pb.VaultRecord(document_type="111", document_number=number, full_name="欧阳娜娜")
        answer = await stub.SealCandidate(
            pb.SealCandidateRequest(record=record, receiver_jwk=receiver_jwk(), receiver="mps")
        )
        assert sealing.unseal(RECEIVER.sealing, answer.sealed.jwe) == {
            "document_type": "111",
            "document_number": number,
            "full_name": "欧阳娜娜",
        }
        assert not (await put(stub, confirm=False, document_number=number, full_name="欧阳娜娜")).known


async def test_nothing_can_be_listed_and_nothing_stands_in_clear(land):
    """Three calls and no more; database and log hold neither number nor name; each sealing is on the record."""
    methods = {method.name for method in pb.DESCRIPTOR.services_by_name["VaultService"].methods}
    assert methods == {"PutPerson", "SealFields", "SealCandidate"}
    async with land.channel("vault.peer", "identity") as channel:
        stub = vault_pb2_grpc.VaultServiceStub(channel)
        await put(stub)
    async with land.channel("vault.peer", "cli") as channel:
        operations = operations_pb2_grpc.OperationsServiceStub(channel)
        report = await operations.VerifyAudit(operations_pb2.VerifyAuditRequest())
        assert report.intact
    files = [*(land.data / "db").glob("vault*"), land.root / "vault.log"]
    for file in files:
        content = file.read_bytes()
        for needle in (NUMBER, NUMBER[:17], "乌云其木格"):
            assert needle.encode() not in content, file
    with sqlite3.connect(f"file:{land.data}/db/vault.db?mode=ro", uri=True) as database:
        actions = {row[0] for row in database.execute("select action from audit")}
    database.close()
    assert {"PutPerson", "SealFields", "SealCandidate"} <= actions
