"""Seals as the contract shows them, and what its requests mean."""

from datetime import UTC, datetime

from cryptography.x509 import load_der_x509_certificate
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.esign.certification.domain import pki
from services.esign.certification.domain.holders import SealKind
from services.esign.domain.errors import EsignError
from services.esign.seals import pictures as seal_pictures
from services.esign.seals.domain import picture as seal_picture
from services.esign.seals.domain.life import RevocationReason, SealState
from services.esign.seals.store import history as seal_store
from services.esign.seals.store.history import Change, KeptPicture
from services.esign.seals.store.seals import SealRow
from services.esign.service.moments import micros
from services.esign.service.refusals import refusal
from services.esign.service.stated_reasons import reason_violations
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.kit import errors
from shuniu.kit.rpc.caller import Caller, CallerKind
from shuniu.rules import Violation

_WANTED = {
    pb.SEAL_STATE_ACTIVE: SealState.ACTIVE,
    pb.SEAL_STATE_SUSPENDED: SealState.SUSPENDED,
    pb.SEAL_STATE_REVOKED: SealState.REVOKED,
}
_STATES = {state: pb.SealState.Value(f"SEAL_STATE_{state}") for state in SealState}
_KINDS = {kind: pb.SealKind.Value(f"SEAL_KIND_{kind}") for kind in SealKind}


def view(row: SealRow, *, certificate: bool = True) -> pb.Seal:
    """The public form of a seal; without its certificate for those who may not know whose seal it is."""
    seal = row.seal
    found = pb.Seal(
        id=seal.id,
        owner=seal.owner,
        name=seal.name,
        state=_STATES[seal.state],
        kind=_KINDS[seal.kind],
        version=seal.version,
        replaces=seal.replaces,
        reviewer=seal.reviewer.partition("/")[2],
    )
    if row.certificate:
        if certificate:
            found.certificate_pem = pki.certificate_pem(load_der_x509_certificate(row.certificate)).decode()
        found.not_after.CopyFrom(moment(seal.not_after_us))
    if seal.revocation is not None:
        found.revocation_reason = pb.RevocationReason.ValueType(seal.revocation.reason.value)
        found.revoked_at.CopyFrom(moment(seal.revocation.at_us))
        found.invalid_since.CopyFrom(moment(seal.revocation.invalid_us))
    return found


def view_for(caller: Caller, row: SealRow) -> pb.Seal:
    """As `view`; only the person themself sees the certificate of a person's seal, because their name stands in it."""
    return view(row, certificate=row.seal.kind is SealKind.ORGANISATION or caller.kind is CallerKind.PERSON)


def change(found: Change) -> pb.SealChange:
    return pb.SealChange(
        state=_STATES[SealState(found.state)],
        time=moment(found.at_us),
        actor=found.actor.partition("/")[2] or found.actor,
        reason=found.reason,
        ledger_index=found.ledger_index,
    )


def moment(us: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.fromtimestamp(us / 1e6, UTC))
    return stamp


def actor(caller: Caller) -> str:
    """The actor, as journal and second-person rule know them: `operator/name`, `platform/code`, `person`."""
    return "person" if caller.kind is CallerKind.PERSON else f"{caller.kind.name.lower()}/{caller.platform}"


def wanted_state(request: pb.ChangeSealStateRequest) -> SealState:
    """The state that the request asks for. Raises INVALID_ARGUMENT SEAL_STATE_WANTED, REASON_REQUIRED."""
    violations, wanted = reason_violations(request.reason), _WANTED.get(request.state)
    if wanted is None:
        violations.append(
            Violation("state", "SEAL_STATE_WANTED", "Say ACTIVE, SUSPENDED or REVOKED.", "请指明启用、停用或撤销。")
        )
    if violations or wanted is None:
        raise errors.invalid(violations)
    return wanted


def revocation_reason(code: int) -> RevocationReason:
    """Raises INVALID_ARGUMENT REASON_CODE."""
    try:
        return RevocationReason(code)
    except ValueError:
        raise errors.invalid_field(
            "reason_code", "REASON_CODE", "Give a reason of the list.", "请选择规定的撤销原因。"
        ) from None


def since(request: Message, field: str) -> int:
    """The time in that field, µs; 0 when it is not given. Raises INVALID_ARGUMENT TIME_FORM."""
    found = micros(getattr(request, field)) if request.HasField(field) else 0
    if found is None:
        raise errors.invalid_field(field, "TIME_FORM", "This is no time.", "时间格式错误。")
    return found


def picture(png: bytes, width_mm: int, kind: SealKind) -> KeptPicture | None:
    """The picture that was sent, checked; None when none was. Takes up to a second. Raises INVALID_ARGUMENT."""
    if not png:
        return None
    usual = seal_picture.PERSON_MM if kind is SealKind.PERSON else seal_picture.ORGANISATION_MM
    try:
        return KeptPicture(seal_store.UPLOADED, seal_pictures.uploaded(png, width_mm or usual))
    except EsignError as error:
        raise refusal(error) from None
