"""SealService: apply, approve, suspend, resume, revoke. Each change is logged and told to the seal's owner."""

import asyncio
import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_der_x509_certificate
from sqlalchemy import Connection

from services.esign import ses_store, store
from services.esign.domain import pki, seals
from services.esign.domain.errors import EsignError
from services.esign.domain.ledger import Entry, EntryType
from services.esign.domain.seals import Seal, SealState
from services.esign.events import SEAL_CHANGED
from services.esign.keys import Secrets
from services.esign.sequencer import Sequencer
from services.esign.service.refusals import refusal, seal_unknown
from services.esign.ses_store import Sm2SealRow
from services.esign.sidecars import make_sm2_seal
from services.esign.store import SealRow
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.esign.v1 import esign_pb2_grpc
from shuniu.api.events.v1 import events_pb2
from shuniu.kit import errors, paging
from shuniu.kit.caller import CallerKind, current_caller
from shuniu.kit.errors import Violation
from shuniu.kit.foundation import Foundation
from shuniu.kit.ids import new_ulid

_STATES = {
    SealState.APPLIED: pb.SEAL_STATE_APPLIED,
    SealState.ISSUED: pb.SEAL_STATE_APPLIED,
    SealState.ACTIVE: pb.SEAL_STATE_ACTIVE,
    SealState.SUSPENDED: pb.SEAL_STATE_SUSPENDED,
    SealState.REVOKED: pb.SEAL_STATE_REVOKED,
}
_ACTIONS = {
    SealState.ISSUED: seals.Action.REVIEW,
    SealState.ACTIVE: seals.Action.RESUME,
    SealState.SUSPENDED: seals.Action.SUSPEND,
    SealState.REVOKED: seals.Action.REVOKE,
}
_WANTED = {
    pb.SEAL_STATE_ACTIVE: SealState.ACTIVE,
    pb.SEAL_STATE_SUSPENDED: SealState.SUSPENDED,
    pb.SEAL_STATE_REVOKED: SealState.REVOKED,
}


@dataclass(slots=True)
class Seals(esign_pb2_grpc.SealServiceServicer):
    """Seals of organisations."""

    base: Foundation
    secrets: Secrets
    ledger: Sequencer
    # Where seal certificates say that their revocation can be asked; empty: nowhere.
    status_url: str = ""

    async def ApplySeal(self, request: pb.ApplySealRequest, context: Any) -> pb.ApplySealResponse:
        owner = current_caller().platform
        name = request.name.strip()
        if not 2 <= len(name) <= 60:
            raise errors.invalid(
                [
                    Violation(
                        "name",
                        "NAME_LENGTH",
                        "Give the official name, 2 to 60 characters.",
                        "请填写 2 至 60 字的机构全称。",
                    )
                ]
            )
        applied = Seal(new_ulid(self.base.clock), owner, name, SealState.APPLIED, 0, 0)

        def unit(conn: Connection) -> pb.ApplySealResponse:
            if any(row.seal.state is not SealState.REVOKED for row in store.seals_of(conn, owner)):
                raise errors.exists("SEAL_EXISTS", "This platform has a seal already.", "该平台已有印章。")
            store.put_seal(conn, applied, self.base.clock.now_us())
            self._tell(conn, applied)
            return pb.ApplySealResponse(seal=view(SealRow(applied, b"", b"")))

        return await self.base.mutate(request, pb.ApplySealResponse, unit, target=f"seal/{applied.id}")

    async def ApproveSeal(self, request: pb.ApproveSealRequest, context: Any) -> pb.ApproveSealResponse:
        """Makes the key and certificate beforehand; only one attempt's is kept."""
        found = await self.base.store.read(store.seal_by_id, request.id)
        if found is None:
            raise seal_unknown(request.id)
        made = self._make(found.seal)
        beside = await self._sm2_side(found.seal)

        def unit(conn: Connection) -> pb.ApproveSealResponse:
            now = store.seal_by_id(conn, request.id)
            if now is None:
                raise seal_unknown(request.id)
            self._move(now.seal, SealState.ISSUED)
            store.made(conn, made)
            serial = load_der_x509_certificate(made.certificate).serial_number
            store.certified(conn, serial, made.seal.id, self.base.clock.now_us())
            if beside is not None:
                ses_store.keep_sm2_seal(conn, beside)
            self._tell(conn, made.seal)
            return pb.ApproveSealResponse(seal=view(made))

        response = await self.base.mutate(request, pb.ApproveSealResponse, unit, target=f"seal/{request.id}")
        await self._log(made.seal, made.certificate)
        return response

    async def _sm2_side(self, applied: Seal) -> Sm2SealRow | None:
        """Picture and certificate bound in a SESeal; None when this hub makes none."""
        if self.secrets.sm is None:
            return None
        make = functools.partial(
            make_sm2_seal, self.secrets.sm, self.secrets.keyring, applied, self.base.clock.now_us()
        )
        try:
            return await asyncio.get_running_loop().run_in_executor(None, make)
        except EsignError as error:
            raise refusal(error) from None

    def _make(self, applied: Seal) -> SealRow:
        key = ec.generate_private_key(ec.SECP256R1())
        now_us = self.base.clock.now_us()
        certificate = pki.issue_seal_certificate(
            self.secrets.seal_ca,
            key.public_key(),
            applied.name,
            applied.id,
            now_us,
            status_url=self.status_url,
        )
        der = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        active = replace(
            applied,
            state=SealState.ACTIVE,
            not_before_us=int(certificate.not_valid_before_utc.timestamp() * 1_000_000),
            not_after_us=int(certificate.not_valid_after_utc.timestamp() * 1_000_000),
        )
        return SealRow(
            active,
            certificate.public_bytes(serialization.Encoding.DER),
            self.secrets.keyring.encrypt(der, key_context(applied.id)),
        )

    async def ChangeSealState(self, request: pb.ChangeSealStateRequest, context: Any) -> pb.ChangeSealStateResponse:
        wanted = _WANTED.get(request.state)
        violations = []
        if wanted is None:
            violations.append(
                Violation("state", "SEAL_STATE_WANTED", "Say ACTIVE, SUSPENDED or REVOKED.", "请指明启用、停用或撤销。")
            )
        if not request.reason.strip() or len(request.reason) > 500:
            violations.append(
                Violation("reason", "REASON_REQUIRED", "Say why, up to 500 characters.", "请填写原因(500 字以内)。")
            )
        if violations or wanted is None:
            raise errors.invalid(violations)

        def unit(conn: Connection) -> pb.ChangeSealStateResponse:
            now = store.seal_by_id(conn, request.id)
            if now is None or not now.certificate:
                raise seal_unknown(request.id)
            moved = replace(now, seal=replace(now.seal, state=self._move(now.seal, wanted)))
            store.set_seal_state(conn, request.id, wanted, request.reason)
            store.standing_changed(conn, request.id, self.base.clock.now_us())
            self._tell(conn, moved.seal)
            return pb.ChangeSealStateResponse(seal=view(moved))

        response = await self.base.mutate(request, pb.ChangeSealStateResponse, unit, target=f"seal/{request.id}")
        now = await self.base.store.read(store.seal_by_id, request.id)
        if now is not None:
            await self._log(now.seal, now.certificate)
        return response

    async def ListSeals(self, request: pb.ListSealsRequest, context: Any) -> pb.ListSealsResponse:
        caller = current_caller()
        owner = "" if caller.kind is CallerKind.OPERATOR else caller.platform
        size = paging.page_size(request.page_size, default=100)
        after = paging.decode_token(self.secrets.page, caller.key, b"seals", request.page_token)
        rows: Sequence[SealRow] = await self.base.store.read(store.list_seals, owner, after, size + 1)
        response = pb.ListSealsResponse(seals=[view(row) for row in rows[:size]])
        if len(rows) > size:
            last = rows[size - 1].seal.id
            response.next_page_token = paging.encode_token(self.secrets.page, caller.key, b"seals", (last,))
        return response

    def _move(self, now: Seal, wanted: SealState) -> SealState:
        try:
            return seals.move(now.state, _ACTIONS[wanted])
        except EsignError as error:
            raise refusal(error) from None

    def _tell(self, conn: Connection, changed: Seal) -> None:
        self.base.publish(
            conn,
            SEAL_CHANGED,
            changed.id,
            events_pb2.SealChanged(id=changed.id, owner=changed.owner, state=changed.state.value),
            to=self.base.recipients(SEAL_CHANGED, "", changed.owner),
        )

    async def _log(self, changed: Seal, certificate: bytes) -> None:
        entry = Entry(
            EntryType.SEAL_CHANGED,
            self.base.clock.now_us(),
            seal=changed.id,
            certificate_sha256=sha256(certificate).hexdigest(),
            state=changed.state.value,
            epoch=self.base.store.epoch,
        )
        try:
            receipt = await self.ledger.append(entry)
        except EsignError as error:
            raise refusal(error) from None
        await self.base.store.write(
            functools.partial(store.remember_head, size=receipt.index + 1, checkpoint=receipt.checkpoint)
        )


def key_context(seal_id: str) -> bytes:
    """Binds a wrapped key to its row."""
    return f"seal/{seal_id}/key".encode()


def view(row: SealRow) -> pb.Seal:
    """The public form of a seal."""
    found = pb.Seal(id=row.seal.id, owner=row.seal.owner, name=row.seal.name, state=_STATES[row.seal.state])
    if row.certificate:
        found.certificate_pem = pki.certificate_pem(load_der_x509_certificate(row.certificate)).decode()
        found.not_after.FromDatetime(dt.datetime.fromtimestamp(row.seal.not_after_us / 1e6, dt.UTC))
    return found
