"""Asking a hub over REST, by its public contract and the standard library alone. Anybody may ask: no credentials."""

import json
import re
import ssl
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, OpenerDirector, Request, build_opener

from shuniu_client.verdict import SCHEMA, Verdict

# A signature's times: their names over REST, which are absent where there is none, and in the object.
_TIMES = {"claimedAt": "claimed_at", "provenAt": "proven_at"}
# Above any answer: a validation report of many signatures.
_ANSWER_MOST = 32 * 1024 * 1024
# As the hub has it: a larger one would be cut off on its way, with no answer.
_DOCUMENT_MOST = 20 * 1024 * 1024
_NOT_FOUND, _TOO_LARGE = 404, 429


class HubError(Exception):
    """The hub refused. `reason` is stable (docs/errors.md of the hub); the texts say what to do."""

    def __init__(self, status: int, reason: str, zh: str, en: str) -> None:
        super().__init__(f"{reason}: {zh} / {en}")
        self.status = status
        self.reason = reason
        self.zh = zh
        self.en = en


class HubAwayError(URLError):
    """No answer came: no hub at that address, a certificate that `tls` does not trust, no answer within `seconds`, or
    something that no hub answers. It says nothing of the document. `reason` is what the system said.
    """

    def __str__(self) -> str:
        return f"没有得到枢纽的答复 / the hub gave no answer: {self.reason}"


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
            raise ValueError("url：枢纽的地址以 https:// 开头 / url: a hub's address begins with https://")
        self._opener = build_opener(HTTPSHandler(context=self.tls or ssl.create_default_context()))

    def verify_document(self, data: bytes, *, receipt: str = "", ses: bytes = b"", report: bool = False) -> Answer:
        """On an uploaded document (PDF or OFD). Raises HubError, also for one above 20 MiB, which is not sent;
        HubAwayError.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(
                "data：请给出文件的内容，如 path.read_bytes() / data: give the file's bytes, as path.read_bytes()"
            )
        if len(data) > _DOCUMENT_MOST:
            raise HubError(
                _TOO_LARGE,
                "DOCUMENT_TOO_LARGE",
                "文件超过 20 MiB，没有核验；请向出具单位索取较小的版本（自行压缩会使签章失效），"
                "或扫描二维码、按编号核验。",
                f"The document is larger than {_DOCUMENT_MOST} bytes and was not verified; ask the issuer for a "
                "smaller one (making it smaller yourself destroys its signature), or use its QR code or number.",
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
        """What the register says of a file, by its SHA-256 or SM3 (hexadecimal). Raises HubError, HubAwayError."""
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
        except URLError as cause:
            raise HubAwayError(cause.reason) from cause
        except (OSError, HTTPException, ValueError) as cause:
            raise HubAwayError(str(cause) or type(cause).__name__) from cause
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
        if not info and status == _NOT_FOUND:
            return _of_no_hub(status)
        en = str(told.get("message", ""))
        return HubError(status, str(info.get("reason", "UNKNOWN")), str(local.get("message", en)), en)
    except (ValueError, AttributeError):
        return _of_no_hub(status)


def _of_no_hub(status: int) -> HubError:
    """A page, or something else that no service of a hub answers."""
    zh, en = f"该地址的答复不是枢纽的（HTTP {status}）", f"that address does not answer as a hub does (HTTP {status})"
    if status == _NOT_FOUND:
        zh += "；url 请只写枢纽的地址，如 https://hub.example"
        en += "; give the hub's address alone as url, as https://hub.example"
    return HubError(status, "UNKNOWN", zh, en)
