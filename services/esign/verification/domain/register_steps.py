"""Steps on what register, ledger and validation data say of a document's seal, then and now, and of the document
itself.
"""

from dataclasses import dataclass, replace

from services.esign.certification.domain.validation_data import Then
from services.esign.domain.findings import Findings
from services.esign.domain.verdict import Sentence, Status, Step, Verdict
from services.esign.pages.domain.certificates import CertificateState
from services.esign.seals.domain.life import SealState

SEAL_BAD_THEN = (
    "用印时印章不可用，或其私钥已不可信",
    "the seal might not be used at signing, or its key was not to be trusted any more",
)
_NOT_ITS_SEAL = (
    "签名证书不是登记中该文件所用印章的证书",
    "the certificate is not one of the seal that the register has for the document",
)
_NO_SEAL = "登记中没有该文件，也没有这枚印章", "neither the document nor the seal is in the register"
# Of a document that is not registered; the seal itself is looked up afterwards (`with_seal_of_signer`).
_UNASKED_THEN = Step(
    "seal_then",
    Status.UNKNOWN,
    "SEAL_NOT_ASKED",
    "登记中没有该文件，无从查询用印时印章的状态",
    "the document is not in the register, so the seal's state at signing was not looked up",
)
_UNASKED_NOW = Step(
    "seal_now",
    Status.UNKNOWN,
    "SEAL_NOT_ASKED",
    "登记中没有该文件，未查询印章现状",
    "the document is not in the register, so the seal's present state was not looked up",
)


@dataclass(frozen=True, slots=True)
class Known:
    """Holds what the hub's register says of the document: its own state, and its seal's at signing and now. None: not
    in the register.
    """

    document: CertificateState | None
    seal_then: SealState | None
    seal_now: SealState | None
    certificate_sha256: str = ""
    # Digests of the seal's certificates of other algorithms.
    others_sha256: tuple[str, ...] = ()

    @property
    def is_registered(self) -> bool:
        return self.document is not None

    def is_sealed_by(self, signer_sha256: str) -> bool:
        """Tells whether the certificate is one of the document's seal."""
        return self.seal_then is not None and signer_sha256 in {self.certificate_sha256, *self.others_sha256}


_TOO_LARGE = Step(
    "seal_then",
    Status.UNKNOWN,
    "VALIDATION_DATA_TOO_LARGE",
    "文件所附验证数据过多，未能全部读取",
    "the document brings more validation data than are read: one of the rest may say that a certificate was revoked",
)


def seal_steps(
    found: Findings,
    known: Known | None,
    signer_sha256: str,
    then: Then,
    *,
    logged: bool,
    unfit: Sentence | None = None,
) -> None:
    """`then`: what validation data in the document say of the signer's certificate. `logged`: the ledger took the
    document in. `known` None: nobody asked the register. `unfit`: lists of the verifier that could not be used.
    """
    _seal_then(found, known, signer_sha256, then, logged=logged)
    if then is Then.UNREAD:
        found.take([_TOO_LARGE])
    if unfit is not None and known is None and then in {Then.GOOD, Then.UNSAID}:
        step = found.steps.pop()
        found.add(step.step, step.status, step.reason, f"{step.zh}；{unfit.zh}", f"{step.en}; {unfit.en}")
    then_status = next(step.status for step in found.steps if step.step == "seal_then")
    # A seal that counted for nothing when it signed has no present state that would say more, or better.
    if known is not None and then_status is not Status.INVALID:
        _seal_now(found, known, signer_sha256, before_its_end=logged and then_status is Status.VALID)


def _seal_then(found: Findings, known: Known | None, signer_sha256: str, then: Then, *, logged: bool) -> None:
    if then is Then.REVOKED:
        found.add(
            "seal_then",
            Status.INVALID,
            "CERTIFICATE_REVOKED",
            "签章证书已被撤销，自用印之前起无效",
            "the signer's certificate, or its issuer's, is revoked, with effect from before it signed",
        )
    elif then is Then.UNPROVEN:
        found.add(
            "seal_then",
            Status.UNKNOWN,
            "CERTIFICATE_REVOKED_SINCE",
            "签章证书已被撤销，用印时间无佐证",
            "the signer's certificate is revoked and nothing proves that it signed before that",
        )
    elif then is Then.UNCLEAR:
        found.add(
            "seal_then",
            Status.UNKNOWN,
            "CERTIFICATE_UNCLEAR",
            "颁发机构的撤销记录提到签章证书，但未能解读",
            "an answer of its authority names the certificate, may say that it is revoked, and cannot be read",
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
    if not known.is_registered:
        found.steps.append(_UNASKED_THEN)
    elif then is None or not known.is_sealed_by(signer_sha256):
        found.add("seal_then", Status.UNKNOWN, "SEAL_UNKNOWN", *_NOT_ITS_SEAL)
    elif then is SealState.ACTIVE:
        found.add("seal_then", Status.VALID, "SEAL_ACTIVE", "用印时印章有效", "the seal was active at signing")
    else:
        found.add("seal_then", Status.INVALID, f"SEAL_{then}", SEAL_BAD_THEN[0], SEAL_BAD_THEN[1])


def _seal_now(found: Findings, known: Known, signer_sha256: str, *, before_its_end: bool) -> None:
    now = known.seal_now
    if not known.is_registered:
        found.steps.append(_UNASKED_NOW)
    elif now is None or not known.is_sealed_by(signer_sha256):
        found.add("seal_now", Status.UNKNOWN, "SEAL_UNKNOWN", *_NOT_ITS_SEAL)
    elif now is SealState.ACTIVE:
        found.add("seal_now", Status.VALID, "SEAL_ACTIVE", "印章现仍有效", "the seal is active now")
    elif before_its_end:
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


def with_seal_of_signer(verdict: Verdict, seal_now: SealState | None) -> Verdict:
    """A verdict on a document that is not registered, with what the register says of the seal whose certificate signed
    it (None: it has no such seal). It is as open as before: how the seal stood at signing only the document's entry
    tells.
    """
    if seal_now is None:
        then = replace(_UNASKED_THEN, reason="SEAL_UNKNOWN", zh=_NO_SEAL[0], en=_NO_SEAL[1])
        now = replace(then, step="seal_now")
    elif seal_now is SealState.ACTIVE:
        zh, en = "登记中有这枚印章，现仍有效", "the seal is registered here and active now"
        then, now = _UNASKED_THEN, Step("seal_now", Status.VALID, "SEAL_ACTIVE", zh, en)
    else:
        zh, en = "登记中有这枚印章，现已停用", f"the seal is registered here and {seal_now} now"
        then, now = _UNASKED_THEN, Step("seal_now", Status.UNKNOWN, f"SEAL_{seal_now}", zh, en)
    told = {_UNASKED_THEN: then, _UNASKED_NOW: now}
    return replace(
        verdict,
        steps=tuple(told.get(step, step) for step in verdict.steps),
        signatures=tuple(
            replace(each, steps=tuple(told.get(step, step) for step in each.steps)) for each in verdict.signatures
        ),
    )


def document_step(found: Findings, known: Known | None) -> None:
    """Adds the step on whether its issuer has withdrawn it, which nobody can say offline."""
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
            "document",
            Status.UNKNOWN,
            "DOCUMENT_UNKNOWN",
            "登记中没有与该文件完全相同的文件",
            "no document of the register is the same byte for byte",
        )
