"""Signatures over bare hashes, through gRPC: whose seal, by whose consent, and how often."""

import asyncio
import base64
import contextlib
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509 import load_der_x509_certificate

from services.esign.flows.consents import used_for
from shuniu import signing_list
from shuniu.api.esign.v1 import flow_pb2 as pb
from shuniu.kit.foundation import content_digest
from shuniu.kit.rpc.requests import RequestKey
from tests.support.flow_land import APP, BUREAU, OTHER, FlowLand, caller, flow_land, request_id
from tests.support.hub import refusal


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def land() -> AsyncIterator[FlowLand]:
    async with flow_land() as found:
        yield found


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_hashes_are_signed_under_one_authorisation(land: FlowLand) -> None:
    """CSC-shaped signHash: up to 100 hashes, one authorisation bound to exactly them, on record in the ledger."""
    who, seal = caller("platform", BUREAU), f"seal-{BUREAU}"
    credential = await land.remote.GetCredential(pb.GetCredentialRequest(credential_id=seal), metadata=who, timeout=10)
    assert (credential.status, credential.multisign) == ("valid", 100)
    key = load_der_x509_certificate(credential.certificates[0]).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    digests = [sha256(b"document %d" % n).digest() for n in range(100)]

    def request(**changed: Any) -> pb.SignHashRequest:
        fields: dict[str, Any] = {
            "request_id": request_id(),
            "credential_id": seal,
            "hashes": digests,
            "hash_algorithm_oid": "2.16.840.1.101.3.4.2.1",
            "sign_algo": "1.2.840.10045.4.3.2",
        }
        return pb.SignHashRequest(**(fields | changed))

    sign = land.remote.SignHash
    sad = land.identity.assertion("subject-head", hashes=digests, platform=BUREAU)
    asked = request(sad=sad)
    answer = await sign(asked, metadata=who, timeout=30)
    for digest, signature in zip(digests, answer.signatures, strict=True):
        key.verify(signature, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    assert answer == await sign(asked, metadata=who, timeout=30)
    await refusal(sign(request(sad=sad), metadata=who), "AUTHORISATION_USED")
    other = land.identity.assertion("subject-head", hashes=digests[:99], platform=BUREAU)
    await refusal(sign(request(sad=other), metadata=who), "AUTHORISATION_OTHER")
    elsewhere = land.identity.assertion("subject-head", hashes=digests, platform=APP)
    await refusal(sign(request(sad=elsewhere), metadata=who), "AUTHORISATION_OTHER")
    await refusal(sign(request(), metadata=caller("platform", OTHER)), "SEAL_NOT_YOURS")
    await refusal(sign(request(hashes=[b"short"]), metadata=who), "HASH_LENGTH")
    await refusal(sign(request(hashes=digests * 2), metadata=who), "HASH_COUNT")
    await refusal(sign(request(sign_algo="1.2.3", hash_algorithm_oid="1.2"), metadata=who), "INVALID_REQUEST")


def hashes_to_sign(digests: list[bytes], sad: str, seal: str = f"seal-{BUREAU}") -> pb.SignHashRequest:
    return pb.SignHashRequest(
        request_id=request_id(),
        credential_id=seal,
        hashes=digests,
        hash_algorithm_oid="2.16.840.1.101.3.4.2.1",
        sign_algo="1.2.840.10045.4.3.2",
        sad=sad,
    )


async def test_what_burned_a_consent_may_be_repeated_after_its_time(land: FlowLand) -> None:
    """The consent was burned and the key or the ledger was away: the same request completes later, no other does."""
    who, digests = caller("platform", BUREAU), [sha256(b"slow").digest()]
    request = hashes_to_sign(digests, land.identity.assertion("subject-head", hashes=digests, platform=BUREAU, age=301))
    await refusal(land.remote.SignHash(request, metadata=who, timeout=10), "AUTHORISATION_EXPIRED")
    payload = request.sad.split(".")[1]
    token_id = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"]
    used = used_for(RequestKey("", "", request.request_id, content_digest(request)))
    with contextlib.closing(sqlite3.connect(land.root / "db" / "esign.db", timeout=10)) as file, file:
        file.execute("INSERT INTO used_consent VALUES (?, ?, ?)", (token_id, used, time.time_ns() // 1000))
    assert len((await land.remote.SignHash(request, metadata=who, timeout=10)).signatures) == 1
    request.request_id = request_id()
    await refusal(land.remote.SignHash(request, metadata=who, timeout=10), "AUTHORISATION_EXPIRED")


async def test_a_request_sent_twice_at_once_is_signed_and_logged_once(land: FlowLand) -> None:
    """Both get the same signatures and the ledger holds the act once."""
    who, digests = caller("platform", BUREAU), [sha256(b"twice").digest()]
    request = hashes_to_sign(digests, land.identity.assertion("subject-head", hashes=digests, platform=BUREAU))
    first, *others = await asyncio.gather(*(land.remote.SignHash(request, metadata=who, timeout=20) for _ in range(4)))
    assert all(other == first for other in others)
    commitment = signing_list.of_hashes(digests).encode()
    bundles = (path for path in (land.root / "ledger").rglob("tile/entries/**/*") if path.is_file())
    assert max(path.read_bytes().count(commitment) for path in bundles) == 1


async def test_a_platform_signs_nothing_with_a_persons_seal(land: FlowLand) -> None:
    """The platform through which a person got a seal neither reads its certificate nor signs hashes with it, not with
    that person's own consent either: it says nothing of a seal.
    """
    who, seal = caller("platform", BUREAU), "seal-officer1"
    await refusal(land.remote.GetCredential(pb.GetCredentialRequest(credential_id=seal), metadata=who), "SEAL_UNKNOWN")
    digests = [sha256(b"never shown").digest()]
    for sad in ("", land.identity.assertion("officer1", hashes=digests, platform=BUREAU)):
        request = hashes_to_sign(digests, sad, seal)
        await refusal(land.remote.SignHash(request, metadata=who, timeout=10), "SEAL_KIND")


async def test_a_credential_that_ended_still_says_so(land: FlowLand) -> None:
    """A day after a seal's end nothing is left of its key; whoever asks for its credential hears that it is revoked."""
    with contextlib.closing(sqlite3.connect(land.root / "db" / "esign.db", timeout=10)) as file, file:
        file.execute("UPDATE seal SET state = 'REVOKED', wrapped_key = x'' WHERE id = ?", (f"seal-{OTHER}",))
    asked = pb.GetCredentialRequest(credential_id=f"seal-{OTHER}")
    found = await land.remote.GetCredential(asked, metadata=caller("platform", OTHER), timeout=10)
    assert (found.status, len(found.certificates)) == ("revoked", 1)
