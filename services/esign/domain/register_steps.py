"""What register, ledger and validation data say of a document's seal, then and now, and of the document itself."""

from dataclasses import dataclass

from services.esign.domain.certificates import CertificateState
from services.esign.domain.findings import Findings
from services.esign.domain.seals import SealState
from services.esign.domain.validation_data import Then
from services.esign.domain.verdict import Status

SEAL_BAD_THEN = (
    "用印时印章不可用，或其私钥已不可信",
    "the seal might not be used at signing, or its key was not to be trusted any more",
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the hub's register says of the document: its own state, and its seal's at signing and now. None: not in
    the register.
    """

    document: CertificateState | None
    seal_then: SealState | None
    seal_now: SealState | None
    certificate_sha256: str = ""


def seal_steps(found: Findings, known: Known | None, signer_sha256: str, then: Then, *, logged: bool) -> None:
    """`then`: what validation data in the document say of the signer's certificate. `logged`: the ledger took the
    document in. `known` None: nobody asked the register.
    """
    _seal_then(found, known, signer_sha256, then, logged=logged)
    if known is not None:
        _seal_now(found, known, signer_sha256, logged=logged)


def _seal_then(found: Findings, known: Known | None, signer_sha256: str, then: Then, *, logged: bool) -> None:
    if then is Then.REVOKED:
        found.add(
            "seal_then",
            Status.INVALID,
            "CERTIFICATE_REVOKED",
            "用印时签章证书已被撤销",
            "the signer's certificate, or its issuer's, was revoked before",
        )
    elif then is Then.UNPROVEN:
        found.add(
            "seal_then",
            Status.UNKNOWN,
            "CERTIFICATE_REVOKED_SINCE",
            "签章证书已被撤销，用印时间无佐证",
            "the signer's certificate is revoked and nothing proves that it signed before that",
        )
    elif known is not None:
        _seal_in_register(found, known, signer_sha256)
    elif logged:
        found.add(
            "seal_then",
            Status.VALID,
            "SEAL_LOGGED",
            "存证日志载明用印时印章有效",
            "the log took the entry while the seal was active",
        )
    elif then is Then.GOOD:
        found.add(
            "seal_then",
            Status.VALID,
            "CERTIFICATE_GOOD",
            "验证数据表明用印时签章证书未被撤销",
            "validation data say that the certificate was not revoked at signing",
        )
    else:
        found.add(
            "seal_then",
            Status.NOT_CHECKED,
            "OFFLINE",
            "离线核验，未查询用印时印章状态",
            "offline: the seal's state at signing was not asked",
        )


def _seal_in_register(found: Findings, known: Known, signer_sha256: str) -> None:
    then = known.seal_then
    if then is None or known.certificate_sha256 != signer_sha256:
        found.add("seal_then", Status.UNKNOWN, "SEAL_UNKNOWN", "登记中没有这枚印章", "the seal is not in the register")
    elif then is SealState.ACTIVE:
        found.add("seal_then", Status.VALID, "SEAL_ACTIVE", "用印时印章有效", "the seal was active at signing")
    else:
        found.add("seal_then", Status.INVALID, f"SEAL_{then}", SEAL_BAD_THEN[0], SEAL_BAD_THEN[1])


def _seal_now(found: Findings, known: Known, signer_sha256: str, *, logged: bool) -> None:
    now = known.seal_now
    if known.seal_then is None or now is None or known.certificate_sha256 != signer_sha256:
        found.add("seal_now", Status.UNKNOWN, "SEAL_UNKNOWN", "登记中没有这枚印章", "the seal is not in the register")
    elif now is SealState.ACTIVE:
        found.add("seal_now", Status.VALID, "SEAL_ACTIVE", "印章现仍有效", "the seal is active now")
    elif logged:
        found.add(
            "seal_now",
            Status.VALID,
            f"SEAL_{now}_SINCE",
            "印章现已停用，用印在停用之前",
            f"the seal is {now} now; it signed before that",
        )
    else:
        found.add(
            "seal_now",
            Status.UNKNOWN,
            f"SEAL_{now}",
            "印章现已停用，用印时间无佐证",
            f"the seal is {now} now and nothing proves when it signed",
        )


def document_step(found: Findings, known: Known | None) -> None:
    """Whether its issuer has withdrawn it, and what nobody can say offline."""
    if known is None:
        found.add(
            "document",
            Status.NOT_CHECKED,
            "OFFLINE",
            "离线核验，未查询该文件是否已撤销",
            "offline: not asked whether the document stands",
        )
        found.add(
            "seal_now",
            Status.NOT_CHECKED,
            "OFFLINE",
            "离线核验，未查询印章现状",
            "offline: the seal's present state was not asked",
        )
    elif known.document is CertificateState.VALID:
        found.add("document", Status.VALID, "DOCUMENT_STANDS", "该文件未被撤销", "the document stands")
    elif known.document is CertificateState.REVOKED:
        found.add(
            "document",
            Status.INVALID,
            "DOCUMENT_REVOKED",
            "该文件已被出具单位撤销",
            "the issuer has withdrawn the document",
        )
    else:
        found.add(
            "document", Status.UNKNOWN, "DOCUMENT_UNKNOWN", "登记中没有该文件", "the document is not in the register"
        )
