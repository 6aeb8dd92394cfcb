"""Judges what stands beside a licence, without the hub: a status list token, and the ledger's receipt."""

from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.esign.certification.domain import chain, paths, pki
from services.esign.certification.domain.trust import Trust
from services.esign.certification.domain.validation_data import MAY_BE_REVOKED, NOTHING, path_standing
from services.esign.domain.cms.signature_value import public_key_of
from services.esign.domain.errors import EsignError, NoteUntrustedError, TokenMalformedError, TokenWrongError
from services.esign.domain.verdict import Status, Step
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import EntryType
from services.esign.licences.domain import jose, status_list
from services.esign.licences.domain.check import issuer_path
from services.esign.licences.domain.jose import Token
from services.esign.licences.domain.status_list import StatusList


def status_step(text: str, licence: Token, trust: Trust, now_us: int) -> Step:
    """The step `document` by a status list token for the list that the licence names. It counts only where one
    authority stands behind both.
    """
    try:
        uri, place = _reference(licence.payload)
        found = _read(text, uri, issuer_path(licence, trust.roots), trust, now_us).at(place)
    except (EsignError, chain.ChainError) as error:
        # A list that is wrong says nothing of the licence.
        return Step("document", Status.UNKNOWN, error.reason, error.zh, error.en)
    if found == status_list.Status.VALID:
        return Step("document", Status.VALID, "LICENCE_STANDS", "状态列表：证照有效", "it stands by the status list")
    if found == status_list.Status.SUSPENDED:
        return Step("document", Status.INVALID, "LICENCE_SUSPENDED", "状态列表：证照已暂停", "suspended by its issuer")
    return Step("document", Status.INVALID, "LICENCE_REVOKED", "状态列表：证照已注销", "revoked by its issuer")


def _reference(claims: Mapping[str, Any]) -> tuple[str, int]:
    status = claims.get("status")
    found = status.get("status_list") if isinstance(status, Mapping) else None
    place = jose.integer(found, "idx") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or place is None or not isinstance(found.get("uri"), str):
        raise TokenMalformedError("STATUS_REFERENCE", "the licence names no status list", "证照未指明状态列表")
    return found["uri"], place


def _read(text: str, uri: str, issuer: Sequence[x509.Certificate], trust: Trust, now_us: int) -> StatusList:
    token = jose.parse(text.strip(), status_list.TYP)
    signer, *others = [chain.load(der) for der in jose.certificates(token)]
    key = public_key_of(signer)
    path = paths.build(signer, others, trust.roots, paths.check_document_path, moments=(now_us,))
    if not paths.has_purpose(path, pki.STATUS_SIGNING.dotted_string) or not isinstance(key, ec.EllipticCurvePublicKey):
        raise TokenWrongError("STATUS_SIGNER", "its signer may not sign status lists", "签发者无权签发状态列表")
    if not _is_of_one_hub(path, issuer):
        raise TokenWrongError(
            "STATUS_SIGNER_OTHER",
            "another authority signed it than the licence",
            "状态列表与证照不是同一机构体系签发的",
        )
    if not chain.valid_at(path, now_us):
        raise TokenWrongError("STATUS_SIGNER", "its signer's certificate is not valid now", "状态列表证书不在有效期内")
    if path_standing(path, NOTHING.with_lists(trust.crls), now_us, now_us) in MAY_BE_REVOKED:
        raise TokenWrongError("STATUS_SIGNER", "its signer's certificate is revoked", "状态列表证书已被撤销")
    return status_list.read(token.text, uri, key, now_us)


def _is_of_one_hub(one: Sequence[x509.Certificate], other: Sequence[x509.Certificate]) -> bool:
    """Tells whether the key of one authority certified both, or of two authorities that the same certificate issued
    under one organisation's name: an authority's successor has another key. No name that somebody below wrote counts,
    and no address of a list: another hub's authority can certify any.
    """
    if len(one) < 2 or len(other) < 2 or one[-1] != other[-1]:
        return False
    above, beside = one[1], other[1]
    key = public_key_of(above)
    if above == beside or (key is not None and key == public_key_of(beside)):
        return True
    return one[2:3] == other[2:3] != () and _organisation(above) == _organisation(beside) != []


def _organisation(authority: x509.Certificate) -> list[str | bytes]:
    return [each.value for each in authority.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def ledger_step(receipt: str, token: str, trust: Trust) -> tuple[Step, int | None]:
    """The step `ledger` by the receipt (tlog-proof) of the licence's issuing, and when that was logged (µs), if it is
    proven. `token` is what the issuer signed.
    """
    try:
        entry, _ = ledger.check_receipt(ledger.parse_receipt(receipt), trust.log_keys, policy=trust.policy)
    except NoteUntrustedError as error:
        return Step("ledger", Status.UNKNOWN, error.reason, error.zh, error.en), None
    except EsignError as error:
        return Step("ledger", Status.INVALID, error.reason, error.zh, error.en), None
    if entry.type is not EntryType.LICENCE_ISSUED or not any(
        entry.is_of(each.encode()) for each in jose.spellings(token)
    ):
        zh, en = "存证回执不是该证照的", "the receipt is another licence's"
        return Step("ledger", Status.INVALID, "LOGGED_OTHER", zh, en), None
    return Step("ledger", Status.VALID, "LOGGED", "已存证", "the receipt proves that it is logged"), entry.time_us
