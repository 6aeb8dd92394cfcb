"""Asking a hub over REST, by its public contract and the standard library alone. Anybody may ask: no credentials."""

import json
import re
import ssl
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPSHandler, OpenerDirector, Request, build_opener

from shuniu_client.verdict import SCHEMA, Verdict

# A signature's times: their names over REST, which are absent where there is none, and in the object.
_TIMES = {"claimedAt": "claimed_at", "provenAt": "proven_at"}
# Above any answer: a validation report of many signatures.
_ANSWER_MOST = 32 * 1024 * 1024


class HubError(Exception):
    """The hub refused. `reason` is stable (docs/errors.md of the hub); the texts say what to do."""

    def __init__(self, status: int, reason: str, zh: str, en: str) -> None:
        super().__init__(f"{reason}: {en}")
        self.status = status
        self.reason = reason
        self.zh = zh
        self.en = en


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, and the validation report (ETSI TS 119 102-2, XML) where it was asked for."""

    verdict: Verdict
    validation_report: bytes = b""


@dataclass(slots=True)
class Hub:
    """A hub's public address, as `https://hub.example`. `tls`: whom to trust for it, the system's roots when absent.
    `seconds`: how long one question may take.
    """

    url: str
    tls: ssl.SSLContext | None = None
    seconds: float = 30.0
    _opener: OpenerDirector = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.url.startswith("https://"):
            raise ValueError("a hub is asked over https")
        self._opener = build_opener(HTTPSHandler(context=self.tls or ssl.create_default_context()))

    def verify_document(self, data: bytes, *, receipt: str = "", ses: bytes = b"", report: bool = False) -> Answer:
        """On an uploaded document (PDF or OFD). Raises HubError, OSError."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(
                "data：请给出文件的内容，如 path.read_bytes() / data: give the file's bytes, as path.read_bytes()"
            )
        body = {
            "pdf": b64encode(data).decode("ascii"),
            "tlogProof": receipt,
            "ses": b64encode(ses).decode("ascii"),
            "report": report,
        }
        answer = self._ask("document", body)
        return Answer(_verdict(answer), b64decode(answer.get("validationReport", "")))

    def verify_hash(self, digest: str) -> Verdict:
        """What the register says of a file, by its SHA-256 or SM3 (hexadecimal). Raises HubError, OSError."""
        return _verdict(self._ask("hash", {"hash": digest}))

    def verify_number(self, number: str, *, issued_on: date | None = None, hash_tail: str = "") -> Verdict:
        """What the register says of a document, by its number and what else is printed on it. Raises as above."""
        body: dict[str, Any] = {"number": number, "hashTail": hash_tail}
        if not isinstance(issued_on, date | None):
            raise TypeError("issued_on：请给出 date，如 date(2026, 6, 1) / issued_on: give a date, as date(2026, 6, 1)")
        if issued_on is not None:
            body["issuedOn"] = {"year": issued_on.year, "month": issued_on.month, "day": issued_on.day}
        return _verdict(self._ask("number", body))

    def verify_qr(self, content: str) -> Verdict:
        """On the content of a QR code. Raises as above."""
        return _verdict(self._ask("qr", {"content": content}))

    def _ask(self, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        request = Request(  # noqa: S310 — https, see above
            f"{self.url.rstrip('/')}/v1/verification:{what}",
            json.dumps(body).encode(),
            {"content-type": "application/json", "accept": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=self.seconds) as answer:
                found: dict[str, Any] = json.loads(answer.read(_ANSWER_MOST))
        except HTTPError as refusal:
            with refusal:
                raise _refusal(refusal.code, refusal.read(_ANSWER_MOST)) from None
        return found


def _verdict(answer: Mapping[str, Any]) -> Verdict:
    """The object of the schema from protobuf's JSON of the contract: names, times to the second, null where that has
    nothing.
    """
    found = dict(answer["verdict"])
    found["as_of"] = _instant(found.pop("asOf"))
    found["summary"] = {"cause": None, **found["summary"]}
    found["signatures"] = [_signature(each) for each in found.get("signatures", ())]
    return Verdict({"schema": SCHEMA, **found})


def _signature(told: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in told.items() if name not in _TIMES}
    return {**found, **{name: _instant(told[old]) if old in told else None for old, name in _TIMES.items()}}


def _instant(told: str) -> str:
    return re.sub(r"\.[0-9]+Z$", "Z", told)


def _refusal(status: int, body: bytes) -> HubError:
    """From google.rpc.Status as JSON; whatever else stands between may answer in its own words."""
    try:
        told = json.loads(body)
        details = {str(each.get("@type", "")).rpartition(".")[2]: each for each in told.get("details", ())}
        info, local = details.get("ErrorInfo", {}), details.get("LocalizedMessage", {})
        en = str(told.get("message", ""))
        return HubError(status, str(info.get("reason", "UNKNOWN")), str(local.get("message", en)), en)
    except (ValueError, AttributeError):
        return HubError(status, "UNKNOWN", f"HTTP {status}", f"HTTP {status}")
