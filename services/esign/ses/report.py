"""The report of `shuniu seal inspect` on a seal or seal signature."""

from dataclasses import dataclass
from typing import Any

from services.esign.domain.moments import written
from services.esign.domain.verdict import Outcome
from services.esign.ses.domain import check as ses_check
from services.esign.ses.domain import values as ses


@dataclass(frozen=True, slots=True)
class SealReport:
    """The parts of a seal or seal signature, and each step's finding."""

    found: ses_check.Findings

    @property
    def outcome(self) -> Outcome:
        return self.found.outcome

    @property
    def picture(self) -> ses.Picture | None:
        return self.found.seal.info.picture if self.found.seal else None

    def as_json(self) -> dict[str, Any]:
        """`{verdict, kind, seal, signature, steps: [{step, status, reason, text}]}`; absent parts are null."""
        seal, signature = self.found.seal, self.found.signature
        return {
            "verdict": self.outcome.value,
            "kind": None if seal is None else "signature" if signature else "seal",
            "seal": None if seal is None else _seal_facts(seal),
            "signature": None
            if signature is None
            else {
                "time": _iso(signature.time_us),
                "data_hash": signature.data_hash.hex(),
                "protected": signature.protected,
            },
            "steps": [
                {"step": s.step, "status": s.status.value, "reason": s.reason, "text": s.text} for s in self.found.steps
            ],
        }


def _seal_facts(seal: ses.Seal) -> dict[str, Any]:
    info = seal.info
    return {
        "standard": "GB/T 38540" if seal.version == ses.V4 else "GM/T 0031",
        "version": info.version,
        "vendor": info.vendor,
        "id": info.id,
        "type": info.kind,
        "name": info.name,
        "created": _iso(info.created_us),
        "valid_from": _iso(info.valid_from_us),
        "valid_to": _iso(info.valid_to_us),
        "certificates": len(info.certificates) or len(info.digests),
        "picture": {
            "type": info.picture.kind,
            "bytes": len(info.picture.data),
            "width_mm": info.picture.width_mm,
            "height_mm": info.picture.height_mm,
        },
    }


def _iso(at_us: int | None) -> str | None:
    return None if at_us is None else written(at_us)
