"""`shuniu verify FILE…`: documents and licences judged offline, many in one call."""

import argparse
import functools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from services.esign import commands as esign
from services.esign.verification import file_errors, plain_files
from shuniu.china_time import CHINA
from shuniu.cli import interrupts
from shuniu.cli.hub_lists import revocation_lists
from shuniu.cli.output import OutputError, complain, say, say_json
from shuniu.cli.place import DEFAULT_DATA, Place
from shuniu.cli.verify_start import UNREADABLE
from shuniu.kit.errors import HubError
from shuniu.kit.process.config import EX_USAGE
from shuniu.one_line import escaped, one_line

EXITS = {"VALID": 0, "INVALID": 1, "INDETERMINATE": 2}
SIGNATURE_MARKS = {"VALID": "✓", "INVALID": "✗", "INDETERMINATE": "?"}
MARKS = {"valid": "✓", "invalid": "✗", "unknown": "?", "not_checked": "-"}
LICENCE = ".sdjwt"
# Claims that say how the token is used.
_OF_THE_TOKEN = frozenset({"cnf", "status"})


def run(arguments: argparse.Namespace) -> int:
    # What a worker left is cleared away while others are judged.
    with interrupts.ending_at_once():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    files: list[Path] = arguments.files
    worst = 0
    if arguments.report is not None and (len(files) > 1 or files[0].suffix == LICENCE):
        complain("--report 仅用于一个文件 / --report is for one document")
        return EX_USAGE
    if arguments.report is not None and (refusal := _would_destroy(arguments.report, files[0])):
        complain(refusal)
        return EX_USAGE
    try:
        trusted = trust_of(arguments)
        _warn_of_no_root(arguments, trusted)
        _warn_of_ignored(arguments.trust, trusted)
        for found in _judged(arguments, files, trusted):
            _print(found, as_json=arguments.json)
            if arguments.report is not None and found.report:
                _write(arguments.report, found.report)
            worst = max(worst, found.status)
    except BrokenPipeError:
        # Of our own output: nothing is wrong with any file.
        raise
    except (OSError, esign.TrustError) as error:
        # Of the trust directory: without it nothing can be said of any file.
        complain(one_line(_unreadable(error)))
        return UNREADABLE
    except HubError as error:
        # This hub's trust cannot be read, for example because its key device is away. Exit code 1 would mean INVALID.
        complain(one_line(f"没有核验 / not judged: {error.zh} / {error.reason}: {error.en}"))
        return UNREADABLE
    return worst


def _unreadable(error: OSError | esign.TrustError) -> str:
    if isinstance(error, OSError):
        name = esign.quoted(os.fsdecode(error.filename or ""))
        return f"无法读取 / unreadable: {name}: {file_errors.told(error)}"
    return f"无法读取 / unreadable: {error}"


def _would_destroy(report: Path, document: Path) -> str:
    """The cause why no report may be written there; empty where it may."""
    name = esign.quoted(report)
    if report.resolve() in {document.with_name(document.name + suffix).resolve() for suffix in esign.COMPANIONS}:
        return (
            f"--report 不能写到 {name}：那是与文件同名的附件，没有核验 / "
            f"--report must not be {name}, which is read with the document; nothing was judged"
        )
    try:
        plain_files.spare(report, esign.REPORT_BEGINNING)
    except FileExistsError:
        return (
            f"--report 指向的 {name} 已经存在，而且不是核验报告：没有覆盖，也没有核验；请换一个文件名 / "
            f"--report: {name} is there already and no report; it was not overwritten and nothing was judged: give "
            "another name"
        )
    return ""


def _write(path: Path, report: bytes) -> None:
    """Raises OutputError: that a report cannot be written says nothing of its document."""
    try:
        plain_files.put(path, report, alike=len(esign.REPORT_BEGINNING))
    except OSError as cause:
        name = esign.quoted(path)
        raise OutputError(f"核验报告无法写入 / the report cannot be written: {name}") from cause


def _warn_of_no_root(arguments: argparse.Namespace, trusted: esign.Trusted) -> None:
    """Says that no signer can be confirmed, lest somebody blames the issuer of a sound document. Raises TrustError."""
    if arguments.trust_any_signer or trusted.trust.roots:
        return
    zh, en = "没有任何信任根", "there is no trusted root"
    if arguments.data != DEFAULT_DATA and _hub_here(arguments.data) is None:
        zh, en = f"{arguments.data} 中没有枢纽，{zh}", f"there is no hub in {arguments.data}, and {en}"
    if arguments.trust is not None:
        zh, en = f"{arguments.trust} 中没有信任根（*.pem）", f"no root (*.pem) in {arguments.trust}"
    note = (
        f"注意：{zh}，谁的签名都无法确认；请用 --trust DIR 给出信任根目录 / "
        f"note: {en}, so nobody's signature can be confirmed; give --trust DIR, a directory of the roots that you trust"
    )
    complain(one_line(note))


def _warn_of_ignored(directory: Path | None, trusted: esign.Trusted) -> None:
    """Names certificates and lists of the trust directory that are not read for their names."""
    ignored = trusted.ignored
    if directory is not None and ignored:
        names = "、".join(ignored)
        note = (
            f"注意：{directory} 中没有使用：{names}；证书请改为 PEM 格式、以 .pem 结尾，撤销列表以 .crl 结尾 / "
            f"note: not used in {directory}: {', '.join(ignored)}; "
            "certificates are read in PEM as *.pem, lists as *.crl"
        )
        complain(one_line(note))


@dataclass(frozen=True, slots=True)
class _Found:
    """One file's verdict as JSON; `error` says why it could not be opened, empty where it could. `is_judged`: the
    verdict is about the file. `text`: all of it for people, empty where it could not be opened.
    """

    path: Path
    verdict: Mapping[str, Any]
    error: str = ""
    not_made: str = ""
    is_judged: bool = True
    report: bytes = b""
    text: str = ""

    @property
    def status(self) -> int:
        return EXITS[self.verdict["verdict"]] if self.is_judged else UNREADABLE


def _unopened(path: Path, error: str) -> _Found:
    verdict = esign.not_opened(error, time.time_ns() // 1000)
    return _Found(path, {**esign.told(verdict), "error": error}, error=error, is_judged=False)


def _judged(arguments: argparse.Namespace, files: Sequence[Path], trusted: esign.Trusted) -> Iterator[_Found]:
    """In the order given. Raises TrustError."""
    documents = iter(
        esign.verify_files(
            [path for path in files if path.suffix != LICENCE], trusted, trust_any_signer=arguments.trust_any_signer
        )
    )
    for path in files:
        if path.suffix == LICENCE:
            yield _one(path, functools.partial(_licence, arguments, path, trusted))
        else:
            yield _one(path, functools.partial(_document, arguments, next(documents)))


def _one(path: Path, judge: Callable[[], _Found]) -> _Found:
    """Whatever becomes of one file, the others are judged. Raises TrustError: that concerns them all."""
    try:
        found = judge()
        # Names of files, certificates and fields are strangers' words, and a terminal obeys what it is shown.
        return replace(found, text="\n".join(map(one_line, () if found.error else _lines(found))))
    except esign.TrustError:
        raise
    except OSError as error:
        return _unopened(path, file_errors.told(error, beside=path))
    except Exception as error:  # noqa: BLE001 — the verifier's own failure, told with the file's name
        return _unopened(path, file_errors.failed(error))


def _document(arguments: argparse.Namespace, found: esign.Judged) -> _Found:
    verdict = found.verdict
    if verdict is None:
        return _unopened(found.path, found.error)
    return _Found(
        found.path,
        {**({"sha256": found.sha256.hex()} if found.sha256 else {}), **esign.told(verdict)},
        not_made=esign.not_made(verdict),
        is_judged=found.is_judged,
        report=b"" if arguments.report is None else found.validation_report(),
    )


def _licence(arguments: argparse.Namespace, path: Path, trusted: esign.Trusted) -> _Found:
    judged = esign.verify_licence(path, trusted, audience=arguments.audience, nonce=arguments.nonce)
    told = esign.told(judged.verdict)
    return _Found(
        path,
        {**told, "claims": judged.claims} if judged.claims else told,
        not_made=esign.not_made(judged.verdict),
        is_judged=judged.verdict.readable,
    )


def _print(found: _Found, *, as_json: bool) -> None:
    if found.error:
        complain(f"无法读取 / unreadable: {esign.quoted(found.path)}: {one_line(found.error)}")
    if as_json:
        say_json(escaped(json.dumps({"file": _named(found.path), **found.verdict}, ensure_ascii=False)))
    elif found.text:
        say(found.text)


def _named(path: Path) -> str:
    """The file's name; bytes that are no UTF-8 are spelt, for JSON has no characters for them."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _lines(found: _Found) -> list[str]:
    verdict, summary = found.verdict, found.verdict["summary"]
    name = esign.quoted(found.path)
    if not found.is_judged:
        return [f"没有核验 / not judged   {name}", *_sentences(summary)]
    lines = [
        f"{verdict['verdict']}   {name}   结论对应时间 / speaks for {_beijing(verdict['as_of'])}",
        *_sentences(summary),
    ]
    lines += _signatures(verdict["signatures"])
    lines += [
        f"  {MARKS[step['status']]} {step['step']:<10} {step['text']}"
        for step in verdict["steps"]
        if step["reason"] != "NOT_REACHED"
    ]
    if found.not_made:
        lines.append(f"    {found.not_made}")
    lines += [
        f"  {name:<20} {escaped(json.dumps(value, ensure_ascii=False))}"
        for name, value in verdict.get("claims", {}).items()
        if name not in _OF_THE_TOKEN
    ]
    return lines


def _signatures(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line for each: who signed, when, how it stands and what it covers."""
    for number, one in enumerate(found, 1):
        claims = "" if one["certified"] else "自称 / claims: "
        who = f"{claims}{one['signer']}" if one["signer"] else "签名者未核验 / who signed was not verified"
        proven, claimed = one["proven_at"], one["claimed_at"]
        when = "时间未载明 / no time stated"
        if proven or claimed:
            how = "已证明 / proven" if proven else "自述 / claimed"
            when = f"{_beijing(proven or claimed)}（{how}）"
        kind = "时间戳 / timestamp" if one["kind"] == "timestamp" else "签名 / signature"
        yield (
            f"  {SIGNATURE_MARKS[one['verdict']]} {kind} {number}/{len(found)} {one['name']}: {who}; {when}; "
            f"{one['covers']['zh']} / {one['covers']['en']}"
        )
        yield from (f"      此后 / later: {each['zh']} / {each['en']}" for each in one["later"])


def _beijing(instant: str) -> str:
    """A verdict's time (RFC 3339, UTC) as clerks read it."""
    moment = datetime.fromisoformat(instant)
    try:
        local, zone = moment.astimezone(CHINA), "北京时间 (UTC+8)"
    except OverflowError:
        # A stranger may state the last hours of the year 9999, of which no calendar has the time in Beijing.
        local, zone = moment, "世界时 (UTC)"
    return f"{local.replace(tzinfo=None).isoformat(' ', 'seconds')} {zone}"


def _sentences(summary: Mapping[str, Any]) -> list[str]:
    """Three sentences: what holds, why not, what to do."""
    said = (summary[name] for name in ("verdict", "cause", "advice"))
    return [f"  {sentence['zh']} / {sentence['en']}" for sentence in said if sentence is not None]


def _hub_here(data: Path) -> Place | None:
    """The hub in a directory; None where there is none, nor in a working directory that was removed."""
    try:
        place = Place(data.resolve())
    except FileNotFoundError:
        return None
    return place if place.config.exists() else None


def trust_of(arguments: argparse.Namespace) -> esign.Trusted:
    """The directory given; else this hub's own trust, when there is a hub here; else nothing is trusted. Nothing is
    written: there may be no place for it. Raises OSError, and TrustError also where the hub is there and does not give
    its lists: without them a stolen seal's document would pass.
    """
    if arguments.trust is not None:
        # Whatever became of the working directory.
        return esign.Trusted.of(arguments.trust)
    place = _hub_here(arguments.data)
    if place is None:
        return esign.Trusted.of(None)
    lists = revocation_lists(place)
    if lists.missing:
        names = ", ".join(lists.missing)
        raise esign.TrustError(
            f"枢纽没有给出撤销列表（{names}），印章是否已被撤销或被盗无从得知，没有核验；"
            "请稍后重新核验，或用 --trust 指定信任目录 / "
            f"the hub did not give its revocation lists ({names}), so nobody can tell whether a seal was revoked or "
            "stolen, and nothing was verified; verify again later, or give a directory by --trust"
        )
    own = {**esign.trust_files(place.config), **lists.files}
    return esign.Trusted.of_files({name: content.encode() for name, content in own.items()})
