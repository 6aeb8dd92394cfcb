"""The vault's servicer: check, count, record, then seal. Nothing is revealed that was not recorded first."""

import datetime as dt
import json
import re
from typing import Any

from sqlalchemy import Connection

from services.identity.requests.private import PrivateRequests
from services.identity.vault import metrics, store
from services.identity.vault.config import VaultSettings
from services.identity.vault.domain import records
from services.identity.vault.domain.records import Record
from services.identity.vault.person_index import PersonIndex
from services.identity.vault.store import Kept
from shuniu.api.common.v1 import envelope_pb2
from shuniu.api.identity.v1 import vault_pb2 as pb
from shuniu.api.identity.v1 import vault_pb2_grpc
from shuniu.china_time import civil_date
from shuniu.kit import errors
from shuniu.kit.crypto import sealing
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import BareFoundation
from shuniu.kit.process.ids import new_person_id
from shuniu.kit.rpc.caller import current_caller
from shuniu.rules import RuleError, Violation

_DAY_US = 24 * 3600 * 1_000_000
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_CALLER = "identity"
_CANDIDATE_FIELDS = ("full_name", "document_type", "document_number")


class VaultService(vault_pb2_grpc.VaultServiceServicer):
    """Identity numbers. There is no listing and no scan."""

    def __init__(
        self,
        base: BareFoundation,
        settings: VaultSettings,
        keyring: Keyring,
        index: PersonIndex,
        private: PrivateRequests,
    ) -> None:
        self._base = base
        self._settings = settings
        self._keyring = keyring
        self._index = index
        self._private = private

    async def PutPerson(self, request: pb.PutPersonRequest, context: Any) -> pb.PutPersonResponse:
        _only_identity()
        record = self._checked(request.record)
        index_key, *older = self._index.keys(records.index_text(record))
        fresh_id = new_person_id()

        def work(conn: Connection) -> pb.PutPersonResponse:
            found = store.find_by_index(conn, index_key) or self._moved(conn, index_key, older)
            if request.confirm:
                found, known = self._kept(conn, found, fresh_id, index_key, record), found is not None
            else:
                known = found is not None
            return pb.PutPersonResponse(
                person_id=found.person_id if found else "",
                known=known,
                display_name=records.display_name(record.full_name),
            )

        response = await self._private.mutate(request, pb.PutPersonResponse, work, target="person")
        if response.person_id == fresh_id:
            metrics.PERSONS.inc()
        return response

    async def SealFields(self, request: pb.SealFieldsRequest, context: Any) -> pb.SealFieldsResponse:
        _only_identity()
        _check_receiver(request.receiver, request.purpose)
        _check_fields(request.fields)
        jwk = _receiver_key(request.receiver_jwk)

        def work(conn: Connection) -> bytes:
            kept = store.find_by_id(conn, request.person_id)
            if kept is None:
                raise errors.not_found("PERSON_UNKNOWN", "The vault does not know this person.", "没有该人员的记录。")
            self._count(conn, request.receiver, request.purpose)
            self._record(
                conn, "SealFields", f"person/{kept.person_id}", request.receiver, request.purpose, request.fields
            )
            return kept.fields

        encrypted = await self._counted(request.purpose, work)
        record = self._opened(Kept(request.person_id, encrypted))
        sealed = _sealed(jwk, records.selected(record, request.fields), request.receiver)
        metrics.SEALED.labels(request.purpose).inc()
        return pb.SealFieldsResponse(sealed=sealed)

    async def SealCandidate(self, request: pb.SealCandidateRequest, context: Any) -> pb.SealCandidateResponse:
        _only_identity()
        record = self._checked(request.record)
        _check_receiver(request.receiver, "authority")
        jwk = _receiver_key(request.receiver_jwk)

        def work(conn: Connection) -> bytes:
            self._count(conn, request.receiver, "authority")
            self._record(conn, "SealCandidate", "candidate", request.receiver, "authority", _CANDIDATE_FIELDS)
            return b""

        await self._counted("authority", work)
        metrics.SEALED.labels("authority").inc()
        sealed = _sealed(jwk, records.selected(record, _CANDIDATE_FIELDS), request.receiver)
        return pb.SealCandidateResponse(sealed=sealed)

    def _checked(self, record: pb.VaultRecord) -> Record:
        today = civil_date(self._base.clock.now_us())
        try:
            return records.checked(record.document_type, record.document_number, record.full_name, today)
        except RuleError as error:
            raise errors.invalid(error.violations) from None

    def _moved(self, conn: Connection, index_key: bytes, older: list[bytes]) -> Kept | None:
        """A person stored under another profile; re-indexed under the present one."""
        found = next((kept for key in older if (kept := store.find_by_index(conn, key)) is not None), None)
        if found is not None:
            store.reindex(conn, found.person_id, index_key)
        return found

    def _kept(self, conn: Connection, found: Kept | None, fresh_id: str, index_key: bytes, record: Record) -> Kept:
        """The stored person, made or brought up to date: a proved new name or card replaces the old one."""
        now = self._base.clock.now_us()
        if found is None:
            kept = Kept(fresh_id, self._closed(fresh_id, record))
            store.add(conn, kept, index_key, now)
            return kept
        if self._opened(found) != record:
            found = Kept(found.person_id, self._closed(found.person_id, record))
            store.change(conn, found, now)
        return found

    def _closed(self, person_id: str, record: Record) -> bytes:
        fields = {
            "document_type": record.document_type,
            "document_number": record.document_number,
            "full_name": record.full_name,
            "birth_date": record.birth.isoformat() if record.birth else "",
        }
        return self._keyring.encrypt(json.dumps(fields, ensure_ascii=False).encode(), _place(person_id))

    def _opened(self, kept: Kept) -> Record:
        fields = json.loads(self._keyring.decrypt(kept.fields, _place(kept.person_id)))
        birth = dt.date.fromisoformat(fields["birth_date"]) if fields["birth_date"] else None
        return Record(fields["document_type"], fields["document_number"], fields["full_name"], birth)

    def _count(self, conn: Connection, receiver: str, purpose: str) -> None:
        day = self._base.clock.now_us() // _DAY_US
        if store.count_use(conn, day, _CALLER, receiver, purpose) > self._settings.quota(purpose):
            raise errors.exhausted(
                "VAULT_QUOTA",
                "Today's quota for this receiver and purpose is used up; ask the hub's operator.",
                "该接收方和用途今日的额度已用完，请联系枢纽管理员。",
                receiver=receiver,
                purpose=purpose,
            )

    async def _counted(self, purpose: str, work: Any) -> bytes:
        try:
            found: bytes = await self._base.write(work)
        except HubError as error:
            if error.reason == "VAULT_QUOTA":
                metrics.REFUSED.labels(purpose).inc()
            raise
        return found

    def _record(self, conn: Connection, action: str, target: str, receiver: str, purpose: str, fields: Any) -> None:
        self._base.audit(conn, action, target, receiver=receiver, purpose=purpose, fields=" ".join(fields))


def _place(person_id: str) -> bytes:
    return f"subject/{person_id}/fields".encode()


def _only_identity() -> None:
    if current_caller().platform != _CALLER:
        raise errors.denied("VAULT_CALLER", "Only identity may ask the vault.", "仅身份服务可以访问保险库。")


def _check_receiver(receiver: str, purpose: str) -> None:
    found = [
        Violation(
            field, "NAME_FORM", "Use 1 to 40 of a-z, 0-9 and hyphen.", "请使用 1 至 40 位小写字母、数字或连字符。"
        )
        for field, value in (("receiver", receiver), ("purpose", purpose))
        if not _NAME.fullmatch(value)
    ]
    if found:
        raise errors.invalid(found)


def _check_fields(fields: Any) -> None:
    unknown = records.unknown_fields(fields)
    if unknown or not fields:
        raise errors.invalid_field(
            "fields",
            "FIELD_UNKNOWN",
            f"Name fields of: {', '.join(records.FIELDS)}.",
            f"可选字段：{'、'.join(records.FIELDS)}。",
        )


def _receiver_key(text: str) -> dict[str, Any]:
    try:
        jwk = json.loads(text)
        sealing.receiver_key(jwk)
    except (ValueError, TypeError, AttributeError, RecursionError, sealing.SealingError):
        raise errors.invalid_field(
            "receiver_jwk",
            "RECEIVER_KEY_INVALID",
            "Give a public P-256 JWK with a kid.",
            "请提供带 kid 的 P-256 公钥 JWK。",
        ) from None
    return dict(jwk)


def _sealed(jwk: dict[str, Any], payload: dict[str, str], receiver: str) -> envelope_pb2.SealedData:
    return envelope_pb2.SealedData(jwe=sealing.seal(jwk, payload), receiver=receiver, kid=jwk["kid"])
