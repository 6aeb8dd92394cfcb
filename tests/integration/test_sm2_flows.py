"""Flows in a hub of the profile sm: held seals and keys that sign once are SM2, and so is what the ledger hears."""

import base64
import json
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.esign.certification.domain import chain
from services.esign.certification.domain.trust import Trust
from services.esign.domain import sm2
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.signatures import by_signers, find
from services.esign.domain.verdict import Outcome
from shuniu.api.esign.v1 import flow_pb2 as pb
from tests.support.flow_land import BUREAU, FlowLand, caller, flow_land, request_id
from tests.support.hub import refusal
from tests.support.verdicts import judged

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCENARIO = "household_migration"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def land() -> AsyncIterator[FlowLand]:
    async with flow_land(profile="sm") as found:
        yield found


async def test_a_flow_is_signed_with_sm2_from_first_to_last(land: FlowLand) -> None:
    """Person by a key that signs once, authority by a held seal, the officer approves: all SM2; the entry carries SM3 only."""
    flow = await land.begin(SCENARIO)
    while flow.state == pb.FLOW_STATE_OPEN:
        for key in [step.key for step in flow.steps if step.ready]:
            await land.sign(flow, key)
        flow = await land.get(flow.id)
    await land.completed(flow.id)
    answer = await land.download(flow.id)
    assert land.secrets.sm is not None
    trust = Trust((chain.load(land.secrets.sm.root),), (land.secrets.ledger.verifier,))
    verdict = judged(answer.pdf, trust=trust, now_us=time.time_ns() // 1000, receipt=answer.tlog_proof)
    assert verdict.outcome is Outcome.VALID, [(step.step, step.reason) for step in verdict.steps]
    signatures = by_signers(find(Document(answer.pdf)))
    assert len(signatures) == 2
    for signature in signatures:
        assert cms_reader.read(cms_reader.unpadded(signature.cms)).signature_algorithm == sm2.ALGORITHM
    entry = json.loads(base64.b64decode(answer.tlog_proof.splitlines()[1].removeprefix("extra ")))
    assert {"document_sm3", "certificate_sm3"} <= entry.keys()
    assert not any("sha" in name for name in entry)


async def test_hashes_alone_are_not_signed_with_sm2(land: FlowLand) -> None:
    """SM2 signs over the signer's own digest, never over a bare SHA-256: such a request is refused before it spends
    the person's authorisation.
    """
    hashes = [b"h" * 32]
    request = pb.SignHashRequest(
        request_id=request_id(),
        credential_id=f"seal-{BUREAU}",
        hashes=hashes,
        hash_algorithm_oid="2.16.840.1.101.3.4.2.1",
        sign_algo="1.2.840.10045.4.3.2",
        sad=land.identity.assertion("subject-head", hashes=hashes, platform=BUREAU),
    )
    await refusal(land.remote.SignHash(request, metadata=caller("platform", BUREAU)), "SEAL_ALGORITHM")
