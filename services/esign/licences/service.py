"""LicenceCredentialService: e-licences as SD-JWT VC. How one is made: `licences/issuing.py`; judged: `domain`."""

import functools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from google.protobuf.message import Message
from sqlalchemy import Connection

from services.esign import metrics
from services.esign.domain.errors import EsignError, TokenWrongError
from services.esign.domain.verdict import Outcome
from services.esign.licences import store as licence_store
from services.esign.licences.domain import check as licence_check
from services.esign.licences.domain import key_binding, sd_jwt, status_list
from services.esign.licences.domain import types as licences
from services.esign.licences.domain.check import Judged, NotRegistered, Registered
from services.esign.licences.domain.key_binding import Expected
from services.esign.licences.domain.types import LicenceState, LicenceType
from services.esign.licences.issuing import LicenceIssuing, LicenceOrder
from services.esign.licences.status_lists import StatusLists
from services.esign.licences.store import LicenceRow
from services.esign.seals.store import seals as seal_rows
from services.esign.service.granted_cases import require_granted
from services.esign.service.neighbours import Parties
from services.esign.service.refusals import licence_unknown, refusal
from services.esign.service.releases import require_admitted
from services.esign.service.stated_reasons import stated_reason
from services.esign.verification.service.views import verdict_view
from shuniu.api.esign.v1 import licence_pb2 as pb
from shuniu.api.esign.v1 import licence_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation, asked_of, require_request_id
from shuniu.kit.rpc import requests
from shuniu.kit.rpc.caller import CallerKind, current_caller
from shuniu.rules import Violation

_Changed = TypeVar("_Changed", bound=Message)
_STATES = {
    LicenceState.VALID: pb.LICENCE_STATE_VALID,
    LicenceState.SUSPENDED: pb.LICENCE_STATE_SUSPENDED,
    LicenceState.REVOKED: pb.LICENCE_STATE_REVOKED,
}
_ACTS = {LicenceState.VALID: "resumed", LicenceState.SUSPENDED: "suspended", LicenceState.REVOKED: "revoked"}
_MOST_QUESTION = 200


def read_types(directories: Sequence[Path]) -> dict[str, LicenceType]:
    """Types of licence by name, a later directory's over an earlier one's. Raises ValueError, OSError."""
    paths = {path.stem: path for directory in directories for path in sorted(directory.glob("*.toml"))}
    return {name: licences.read_type(name, path.read_text("utf-8")) for name, path in sorted(paths.items())}


@dataclass(slots=True)
class LicenceCredentialService(licence_pb2_grpc.LicenceCredentialServiceServicer):
    """Licences that their holders show claim by claim."""

    base: Foundation
    issuing: LicenceIssuing
    lists: StatusLists
    roots: Sequence[x509.Certificate]

    async def ListLicenceTypes(self, request: pb.ListLicenceTypesRequest, context: Any) -> pb.ListLicenceTypesResponse:
        return pb.ListLicenceTypesResponse(types=[_type(found) for found in self.issuing.types.values()])

    async def NewNonce(self, request: pb.NewNonceRequest, context: Any) -> pb.NewNonceResponse:
        expires_us = self.base.clock.now_us() + self.issuing.nonce_seconds * 1_000_000
        nonce = key_binding.new_nonce(self.issuing.secrets.page, expires_us, os.urandom(16))
        response = pb.NewNonceResponse(nonce=nonce, audience=self.issuing.audience)
        response.expires_at.FromMicroseconds(expires_us)
        return response

    async def IssueLicence(self, request: pb.IssueLicenceRequest, context: Any) -> pb.IssueLicenceResponse:
        asked, caller = asked_of(request), current_caller().platform
        answered = await self.base.store.read(requests.answered, [asked])
        if asked.key in answered:
            return pb.IssueLicenceResponse.FromString(answered[asked.key])
        wanted = self.issuing.types.get(request.type)
        if wanted is None:
            raise errors.not_found(
                "LICENCE_TYPE_UNKNOWN", "There is no such type of licence.", "没有该证照类型。", type=request.type[:64]
            )
        parties = await self.issuing.neighbours.parties(request.case_code)
        require_granted(parties, caller)
        _require_result(parties, wanted)
        try:
            proof = key_binding.possession(request.proof_jwt)
            order = LicenceOrder(
                request.case_code,
                wanted,
                request.seal_id,
                caller,
                parties.person_id,
                parties.division,
                dict(request.facts),
                proof,
            )
            licences.check_facts(wanted, order.facts)
            row = await self.issuing.issue(order)
        except EsignError as error:
            raise refusal(error) from None

        def answer(conn: Connection) -> pb.IssueLicenceResponse:
            # It may have been there before, and been suspended or revoked since.
            return pb.IssueLicenceResponse(licence=self._view(licence_store.by_number(conn, row.number)))

        return await self.base.mutate(request, pb.IssueLicenceResponse, answer, target=f"licence/{row.number}")

    async def DownloadLicence(self, request: pb.DownloadLicenceRequest, context: Any) -> pb.DownloadLicenceResponse:
        row = await self.base.store.read(licence_store.find_by_number, request.number)
        if row is None or row.stage != licence_store.ISSUED or not await self._may_read(row):
            raise licence_unknown(request.number)
        witnessed = await self.issuing.ledger.find_witnessed_receipt(row.ledger_index)
        row = await self.base.write(self._released, row.number)
        return pb.DownloadLicenceResponse(
            licence=self._view(row),
            sd_jwt=self.issuing.opened(row),
            tlog_proof=row.receipt if witnessed is None else witnessed.text,
        )

    def _released(self, conn: Connection, number: str) -> LicenceRow:
        """The licence as it stands when it leaves the hub, with the record of that."""
        require_admitted(self.base)
        self.base.audit(conn, "DownloadLicence", f"licence/{number}")
        return licence_store.by_number(conn, number)

    async def _may_read(self, row: LicenceRow) -> bool:
        caller = current_caller()
        if caller.kind is CallerKind.PERSON:
            return await self.issuing.neighbours.person_id(caller.platform, caller.person) == row.holder
        return caller.platform == row.issuer

    async def RevokeLicence(self, request: pb.RevokeLicenceRequest, context: Any) -> pb.RevokeLicenceResponse:
        return await self._change(request, pb.RevokeLicenceResponse, LicenceState.REVOKED)

    async def SuspendLicence(self, request: pb.SuspendLicenceRequest, context: Any) -> pb.SuspendLicenceResponse:
        return await self._change(request, pb.SuspendLicenceResponse, LicenceState.SUSPENDED)

    async def ResumeLicence(self, request: pb.ResumeLicenceRequest, context: Any) -> pb.ResumeLicenceResponse:
        return await self._change(request, pb.ResumeLicenceResponse, LicenceState.VALID)

    async def _change(self, request: Any, response_type: type[_Changed], wanted: LicenceState) -> _Changed:
        why, caller = stated_reason(request.reason), current_caller().platform

        def unit(conn: Connection) -> _Changed:
            row = licence_store.find_by_number(conn, request.number)
            if row is None or row.stage != licence_store.ISSUED or row.issuer != caller:
                raise licence_unknown(request.number)
            try:
                moved = self.issuing.change(conn, row, wanted, why)
            except EsignError as error:
                raise refusal(error) from None
            return response_type(licence=self._view(moved))

        response = await self.base.mutate(request, response_type, unit, target=f"licence/{request.number}")
        try:
            await self.issuing.log_changes()
        except EsignError as error:
            raise refusal(error) from None
        metrics.LICENCES.labels(_ACTS[wanted]).inc()
        return response

    async def GetStatusList(self, request: pb.GetStatusListRequest, context: Any) -> pb.GetStatusListResponse:
        number = (
            int(request.list) if request.list.isascii() and request.list.isdigit() and len(request.list) < 10 else 0
        )
        signed = await self.lists.get(number, self.issuing.list_uri(number))
        if signed is None:
            raise errors.not_found(
                "STATUS_LIST_UNKNOWN", "There is no such status list.", "没有该状态列表。", list=request.list[:20]
            )
        etag = sha256(signed.token.encode()).hexdigest()[:32]
        # Kept by caches, asked after each time: a change shows at once.
        await context.send_initial_metadata((("cache-control", "public, no-cache"), ("etag", f'"{etag}"')))
        response = pb.GetStatusListResponse()
        response.token.content_type, response.token.data = status_list.MEDIA_TYPE, signed.token.encode()
        return response

    async def VerifyPresentation(
        self, request: pb.VerifyPresentationRequest, context: Any
    ) -> pb.VerifyPresentationResponse:
        require_request_id(request)
        _require_question(request)
        now_us = self.base.clock.now_us()
        digests = licence_check.token_digests(request.presentation)
        row = await self.base.store.read(licence_store.find_by_digests, digests)
        register = NotRegistered.UNKNOWN if row is None else await self._registered(row)
        expected = Expected(request.audience, request.nonce, self.issuing.nonce_seconds, now_us)
        judged = licence_check.judge(request.presentation, self.roots, expected, now_us, register)
        if judged.verdict.outcome is Outcome.VALID:
            judged = await self._once(request, judged, now_us)
        if row is not None and judged.verdict.outcome is Outcome.VALID:
            # Meanwhile it may have been revoked.
            register = await self._registered(await self.base.store.read(licence_store.by_number, row.number))
            judged = licence_check.judge(request.presentation, self.roots, expected, now_us, register)
        metrics.VERDICTS.labels("licence", judged.verdict.outcome.value).inc()
        return pb.VerifyPresentationResponse(
            verdict=verdict_view(judged.verdict, self._about(row, register)),
            claims_json=json.dumps(judged.claims, ensure_ascii=False) if judged.claims else "",
        )

    async def _registered(self, row: LicenceRow) -> Registered:
        found = await self.base.store.read(seal_rows.find_seal_by_id, row.seal_id)
        assert found is not None
        return Registered(row.state, found.seal, row.issued_us, row.ledger_index)

    def _about(self, row: LicenceRow | None, register: Registered | NotRegistered) -> dict[str, str]:
        known = self.issuing.types.get(row.type) if row is not None else None
        if known is None or isinstance(register, NotRegistered):
            return {}
        return {"type": known.name, "title": known.title, "issuer": register.seal.name}

    async def _once(self, request: pb.VerifyPresentationRequest, judged: Judged, now_us: int) -> Judged:
        """The verdict, INVALID when audience and nonce were good for another question before."""
        try:
            until_us = key_binding.nonce_expiry(self.issuing.secrets.page, request.nonce, now_us)
        except TokenWrongError as error:
            if error.reason == "NONCE_EXPIRED":
                return licence_check.replayed(judged, error)
            # The asker's own: remembered until its key binding would be too old anyway.
            until_us = 0
        until_us = max(until_us, now_us + 2 * self.issuing.nonce_seconds * 1_000_000)
        digest = key_binding.nonce_digest(request.audience, request.nonce)
        presented = sha256(request.presentation.encode()).hexdigest()
        use = sha256(f"{current_caller().key}\n{request.request_id}\n{presented}".encode()).hexdigest()
        spend = functools.partial(licence_store.spend_nonce, digest=digest, use=use, expires_us=until_us, now_us=now_us)
        if await self.base.write(spend):
            return judged
        return licence_check.replayed(
            judged, TokenWrongError("NONCE_USED", "presented before: a replay", "该出示已被使用过，疑似重放")
        )

    def _view(self, row: LicenceRow) -> pb.Licence:
        found = pb.Licence(
            number=row.number,
            type=row.type,
            case_code=row.case_code,
            issuer=row.issuer,
            state=_STATES[row.state],
            status_list_uri=self.issuing.list_uri(row.list),
            status_index=row.place,
            sha256=row.sha256,
            ledger_index=row.ledger_index,
        )
        found.issued_at.FromMicroseconds(row.issued_us)
        found.expires_at.FromMicroseconds(row.expires_us)
        return found


def _require_result(parties: Parties, wanted: LicenceType) -> None:
    if parties.result_template not in wanted.results:
        raise errors.precondition(
            "LICENCE_NOT_OF_CASE",
            "The item of this case does not end with this type of licence.",
            "该事项不签发此类证照。",
            result=parties.result_template,
        )


def _require_question(request: pb.VerifyPresentationRequest) -> None:
    lacking = [
        Violation(
            name,
            "QUESTION_LACKING",
            f"Say what the holder was given, 1 to {_MOST_QUESTION} characters.",
            f"请填写出示给持有人的内容，1 至 {_MOST_QUESTION} 个字符。",
        )
        for name in ("audience", "nonce")
        if not 0 < len(getattr(request, name)) <= _MOST_QUESTION
    ]
    if not 0 < len(request.presentation) <= sd_jwt.MOST_BYTES:
        lacking.append(
            Violation(
                "presentation",
                "PRESENTATION_SIZE",
                "Send a presentation, at most 64 KiB.",
                "请提交出示内容，不超过 64 KiB。",
            )
        )
    if lacking:
        raise errors.invalid(lacking)


def _type(found: LicenceType) -> pb.LicenceType:
    return pb.LicenceType(
        name=found.name,
        vct=found.vct,
        title=found.title,
        title_en=found.title_en,
        valid_days=found.valid_days,
        ages=found.ages,
        claims=[
            pb.LicenceClaim(
                name=claim.name,
                zh=claim.zh,
                en=claim.en,
                within=claim.within,
                selective=claim.hidden,
                fact=claim.source == "fact",
            )
            for claim in found.claims
        ],
    )
