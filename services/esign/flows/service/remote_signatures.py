"""RemoteSignatureService: signatures over hashes, in the shape of the Cloud Signature Consortium's API (v2)."""

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from sqlalchemy import Connection

from services.esign.certification.domain.holders import SealKind
from services.esign.domain.digests import SM3
from services.esign.domain.errors import EsignError
from services.esign.flows.consents import Consents, used_for
from services.esign.flows.domain import consent as flow_consent
from services.esign.flows.domain.consent import Consent
from services.esign.flows.service.refusals import refused
from services.esign.flows.store import flows as flow_store
from services.esign.keys.of_seals import SealKey
from services.esign.keys.secrets import Secrets
from services.esign.ledger.domain.ledger import Entry, EntryType
from services.esign.ledger.sequencer import Sequencer
from services.esign.seals.domain import life as seals
from services.esign.seals.domain.life import Seal, SealState
from services.esign.seals.maker import key_context
from services.esign.seals.slots import Slots
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store.seals import SealRow
from services.esign.service.refusals import seal_unknown
from services.esign.service.releases import require_admitted
from shuniu import signing_list
from shuniu.api.esign.v1 import flow_pb2 as pb
from shuniu.api.esign.v1 import flow_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation, asked_of
from shuniu.kit.rpc import requests
from shuniu.kit.rpc.caller import current_caller
from shuniu.kit.rpc.requests import RequestKey
from shuniu.rules import Violation

MOST_HASHES = 100
SHA256_OID = "2.16.840.1.101.3.4.2.1"
ECDSA_SHA256_OID = "1.2.840.10045.4.3.2"
_PREHASHED = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
# Words of CSC API v2, 11.5: status of a certificate.
_STATUS = {SealState.ACTIVE: "valid", SealState.SUSPENDED: "suspended", SealState.EXPIRED: "expired"}


@dataclass(slots=True)
class RemoteSignatureService(flow_pb2_grpc.RemoteSignatureServiceServicer):
    """Signs what a platform hashed itself, with the platform's seal, on record in the ledger."""

    base: Foundation
    secrets: Secrets
    slots: Slots
    ledger: Sequencer
    consents: Consents
    _under_way: "dict[tuple[tuple[str, str, str], bytes], asyncio.Task[pb.SignHashResponse]]" = field(
        default_factory=dict
    )

    async def GetCredential(self, request: pb.GetCredentialRequest, context: Any) -> pb.GetCredentialResponse:
        found: SealRow | None = await self.base.store.read(seal_rows.find_seal_by_id, request.credential_id)
        # A person's seal is nobody's credential here, and its certificate says their name.
        own = found is not None and (found.seal.owner, found.seal.kind) == (
            current_caller().platform,
            SealKind.ORGANISATION,
        )
        if found is None or not own or not found.certificate:
            raise seal_unknown(request.credential_id)
        return pb.GetCredentialResponse(
            sign_algos=[ECDSA_SHA256_OID],
            # Nothing is left of the key of a seal that ended, and of the chain beside it.
            certificates=[found.certificate, *(self._held(found).chain if found.wrapped_key else ())],
            status=self._status(found.seal),
            multisign=MOST_HASHES,
        )

    def _status(self, seal: Seal) -> str:
        if seal.state is SealState.ACTIVE and self.base.clock.now_us() > seal.not_after_us:
            return "expired"
        return _STATUS.get(seal.state, "revoked")

    async def SignHash(self, request: pb.SignHashRequest, context: Any) -> pb.SignHashResponse:
        """A request that comes again while it is under way, or whose caller left, is signed and logged once."""
        asked = asked_of(request)
        place = (asked.key, asked.digest)
        task = self._under_way.get(place)
        if task is None:
            task = self._under_way[place] = asyncio.create_task(self._signed(request, asked), name="sign hashes")

            def over(done: "asyncio.Task[pb.SignHashResponse]") -> None:
                del self._under_way[place]
                # Everybody may have left before it failed.
                _ = done.cancelled() or done.exception()

            task.add_done_callback(over)
        return await asyncio.shield(task)

    async def _signed(self, request: pb.SignHashRequest, asked: RequestKey) -> pb.SignHashResponse:
        caller = current_caller()
        kept = await self.base.store.read(requests.answered, [asked])
        if kept:
            return pb.SignHashResponse.FromString(kept[asked.key])
        _check(request)
        self._require_ecdsa()
        bound = signing_list.of_hashes(request.hashes)
        with refused():
            consent = await self._consent(request.sad, caller.platform, bound, asked) if request.sad else None

        def slot(conn: Connection) -> tuple[SealRow, int]:
            """The consent burned and the seal's time, or neither."""
            with refused():
                if consent is not None and not flow_store.use_consent(
                    conn, consent.token_id, used_for(asked), consent.expires_s * 1_000_000
                ):
                    raise flow_consent.used()
                granted = self.slots.grant(conn, request.credential_id, caller.platform)
                found = seal_rows.find_seal_by_id(conn, request.credential_id)
                assert found is not None
                return found, granted.at_us

        found, at_us = await self.base.write(slot)
        # The key may be another machine's.
        signatures = await asyncio.to_thread(self._sign, found, list(request.hashes))
        entry = Entry(
            EntryType.HASHES_SIGNED,
            at_us,
            seal=found.seal.id,
            certificate_sha256=sha256(found.certificate).hexdigest(),
            commitment=bound,
            epoch=self.base.store.epoch,
        )
        try:
            receipt = await self.ledger.append(entry)
        except EsignError as error:
            with refused():
                raise error from None
        response = pb.SignHashResponse(signatures=signatures, ledger_index=receipt.index)

        def answer(conn: Connection) -> pb.SignHashResponse:
            """Signatures leave the hub only while their seal and caller may still sign: both may have been suspended
            while the key or the ledger was waited for.
            """
            require_admitted(self.base)
            with refused():
                now = seal_rows.find_seal_by_id(conn, found.seal.id)
                seals.may_sign((now or found).seal, caller.platform, self.base.clock.now_us())
            return response

        return await self.base.mutate(request, pb.SignHashResponse, answer, target=f"seal/{found.seal.id}")

    async def _consent(self, sad: str, platform: str, bound: str, asked: RequestKey) -> Consent:
        """The person's consent to exactly these hashes, given through the calling platform. Raises ConsentError."""
        consent = await self.consents.read(sad)
        now_s = self.base.clock.now_us() // 1_000_000
        if await self.base.store.read(flow_store.find_use_of_consent, consent.token_id) == used_for(asked):
            # It came in time and was burned for this very request, whose key or ledger was away then.
            now_s = consent.issued_s
        flow_consent.check(consent, platform=platform, subject=consent.subject, list_sha256=bound, now_s=now_s)
        return consent

    def _require_ecdsa(self) -> None:
        if self.secrets.digest is SM3:
            raise errors.precondition(
                "SEAL_ALGORITHM",
                "Seals of this hub are SM2, which signs documents and no bare SHA-256; have the document sealed.",
                "本枢纽印章为 SM2，只能对文件签章，不能对 SHA-256 摘要单独签名。",
            )

    def _held(self, found: SealRow) -> SealKey:
        return self.secrets.seal_key(found.wrapped_key, key_context(found.seal.id), found.certificate)

    def _sign(self, found: SealRow, digests: list[bytes]) -> list[bytes]:
        key = self._held(found).ecdsa
        return [key.sign(digest, _PREHASHED) for digest in digests]


def _check(request: pb.SignHashRequest) -> None:
    """Raises INVALID_ARGUMENT with every violation."""
    faults = []
    if not 1 <= len(request.hashes) <= MOST_HASHES:
        faults.append(
            Violation("hashes", "HASH_COUNT", f"Send 1 to {MOST_HASHES} hashes.", f"请提交 1 至 {MOST_HASHES} 个摘要。")
        )
    faults += [
        Violation(f"hashes[{at}]", "HASH_LENGTH", "A SHA-256 has 32 bytes.", "SHA-256 摘要须为 32 字节。")
        for at, each in enumerate(request.hashes[:MOST_HASHES])
        if len(each) != 32
    ]
    if request.hash_algorithm_oid != SHA256_OID:
        faults.append(
            Violation(
                "hashAlgorithmOID", "ALGORITHM", f"Only SHA-256, {SHA256_OID}.", f"仅支持 SHA-256（{SHA256_OID}）。"
            )
        )
    if request.sign_algo != ECDSA_SHA256_OID:
        faults.append(
            Violation(
                "signAlgo",
                "ALGORITHM",
                f"Only ecdsa-with-SHA256, {ECDSA_SHA256_OID}.",
                f"仅支持 ecdsa-with-SHA256（{ECDSA_SHA256_OID}）。",
            )
        )
    if faults:
        raise errors.invalid(faults)
