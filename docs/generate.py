"""Writes the reference pages of docs/ from what they describe: `python -m docs.generate`. A test compares.

metrics.md from the metric objects, audit-events.md from the policies and the records written in code, errors.md from
every refusal in the code with its texts, events.md from the event messages, and in verdict.md the
tables of reasons from the verifier's code.
"""

import ast
import importlib
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor
from grpc_tools import protoc
from prometheus_client.metrics import MetricWrapperBase

from docs import verdict_reasons
from shuniu.api.common.v1 import audience_pb2, policy_pb2
from shuniu.kit.errors import Code

ROOT: Final = Path(__file__).parents[1]
CODE: Final = ("shuniu/kit", "services", "gateway")
_HEADER: Final = "<!-- Written by `python -m docs.generate`; do not edit. -->"

_REASON: Final = re.compile(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)*")
# As the edge's script has them.
_SAID_BY_SCRIPT: Final = re.compile(r'^  ([A-Z0-9_]+) = \{"(.+)", "(.+)"\},$', re.MULTILINE)
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
_TOPIC: Final = re.compile(r"(identity|catalogue|exchange|esign)\.[a-z]+\.[a-z]+")

# The kit's constructors, by the status they make; the rest names its Code, or is a rule that a servicer maps.
_MAKERS: Final = {
    "invalid_field": Code.INVALID_ARGUMENT,
    "Violation": Code.INVALID_ARGUMENT,
    "not_found": Code.NOT_FOUND,
    "exists": Code.ALREADY_EXISTS,
    "conflict": Code.ABORTED,
    "precondition": Code.FAILED_PRECONDITION,
    "denied": Code.PERMISSION_DENIED,
    "unauthenticated": Code.UNAUTHENTICATED,
    "exhausted": Code.RESOURCE_EXHAUSTED,
    "unavailable": Code.UNAVAILABLE,
}


def pages() -> dict[str, str]:
    """The pages by file name, as they should be."""
    return {
        "metrics.md": metrics_page(),
        "audit-events.md": audit_page(),
        "errors.md": errors_page(),
        "events.md": events_page(),
        "verdict.md": verdict_page(),
    }


def main() -> None:
    for name, text in pages().items():
        (ROOT / "docs" / name).write_text(text, "utf-8")


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _page(title: str, preface: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", _HEADER, preface.strip(), *(part.strip() for part in parts))) + "\n"


# Metrics.

_PROCESSES: Final = (
    ("Every process", "shuniu.kit.process.metrics"),
    ("identity", "services.identity.metrics"),
    ("vault", "services.identity.vault.metrics"),
    ("catalogue", "services.catalogue.metrics"),
    ("exchange", "services.exchange.metrics"),
    ("esign", "services.esign.metrics"),
    ("web", "gateway.web.metrics"),
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One family as Prometheus shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def metrics_of(module: ModuleType) -> list[Metric]:
    """The families a module defines, by name."""
    found = [_metric(value) for value in vars(module).values() if isinstance(value, MetricWrapperBase)]
    return sorted(found, key=lambda metric: metric.name)


def _metric(metric: MetricWrapperBase) -> Metric:
    (family,) = metric.describe()
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return Metric(name, family.type, tuple(metric._labelnames), family.documentation)  # noqa: SLF001


def metrics_page() -> str:
    parts = []
    for process, module in _PROCESSES:
        rows = [
            (f"`{metric.name}`", metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.help)
            for metric in metrics_of(importlib.import_module(module))
        ]
        parts.append(f"## {process}\n\n" + _table(("name", "kind", "labels", "what it says"), rows))
    preface = """
Each process serves `/metrics` on its own operations port, beside `/livez` and `/readyz`. Labels hold codes and
names from the contract, never ids of people. The edge serves Envoy's own metrics; the bus serves its server's.
"""
    return _page("Metrics", preface, *parts)


# The contract with its comments.


@dataclass(frozen=True, slots=True)
class Contract:
    """Comments of the contract by full name, and the files."""

    files: tuple[descriptor_pb2.FileDescriptorProto, ...]
    comments: dict[str, str]


@cache
def contract() -> Contract:
    """The contract with its comments, compiled from proto/."""
    protos = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as directory:
        image = Path(directory) / "image"
        includes = [f"-I{ROOT / 'proto'}", f"-I{ROOT / 'third_party'}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
        if protoc.main(["protoc", *includes, "--include_source_info", f"--descriptor_set_out={image}", *protos]):
            raise RuntimeError("the contract does not compile")
        found = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())
    return Contract(tuple(found.file), {name: text for file in found.file for name, text in _comments(file)})


def _comments(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, str]]:
    names: dict[tuple[int, ...], str] = {}
    for at, message in enumerate(file.message_type):
        names[4, at] = f"{file.package}.{message.name}"
        names |= {(4, at, 2, i): f"{file.package}.{message.name}.{each.name}" for i, each in enumerate(message.field)}
    for at, service in enumerate(file.service):
        names |= {(6, at, 2, i): f"{file.package}.{service.name}.{rpc.name}" for i, rpc in enumerate(service.method)}
    for location in file.source_code_info.location:
        name = names.get(tuple(location.path))
        if name:
            yield name, " ".join(location.leading_comments.split())


# Audit records.


def audit_page() -> str:
    rows = []
    for file in contract().files:
        for service in file.service:
            for rpc in service.method:
                policy = rpc.options.Extensions[policy_pb2.policy]
                if policy.audit:
                    callers = ", ".join(
                        policy_pb2.CallerKind.Name(kind).removeprefix("CALLER_KIND_").lower() for kind in policy.callers
                    )
                    comment = contract().comments[f"{file.package}.{service.name}.{rpc.name}"]
                    what = re.split(r"(?<=[.)])\s+(?=[A-Z])", comment)[0]
                    rows.append((f"`{rpc.name}`", service.name, callers, what))
    own = sorted(recorded_actions() - {row[0].strip("`") for row in rows})
    beside = "## Written beside a call's own record\n\n" + "\n".join(f"- `{action}`" for action in own)
    preface = """
One record for each audited call that took effect, in the transaction of the effect: a change and its record are
both there or neither is. Each writer has a hash chain of its own; `shuniu audit verify` recomputes all of them, and
their heads can be held against copies kept elsewhere. A call that was refused changed nothing and leaves no record
here: it is in the log and counted in `shuniu_rpcs_refused_total`.

A record holds: `writer`, `seq`, `algorithm`, `epoch`, `prev_hash`, `time_us`, `actor` (code of the platform,
operator or process), `actor_kind`, `action`, `object` (`<type>/<id>`), `outcome`, `request_id` (of the edge),
`details` (codes and ids, never personal data), `hash`.
"""
    return _page(
        "Audit records",
        preface,
        _table(("action", "service", "by", "what happened"), sorted(rows)),
        beside,
    )


def recorded_actions() -> set[str]:
    """Actions that code writes by name, beside those that the audited RPCs give."""
    found = set()
    for path, tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) in ("audit", "_record") and "kit/" not in str(path):
                found |= {
                    each.value
                    for each in node.args[1:2]
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                }
    return found


# Errors.


@dataclass(slots=True)
class Reason:
    """One reason: statuses it comes with, who says it, and the texts where it is said first."""

    codes: set[str] = field(default_factory=set)
    areas: set[str] = field(default_factory=set)
    en: str = ""
    zh: str = ""


def reasons() -> dict[str, Reason]:
    """Every reason of the code, by name."""
    found: dict[str, Reason] = defaultdict(Reason)
    of_state = _of_state()
    for reason, en, zh in _SAID_BY_SCRIPT.findall((ROOT / "gateway/envoy/templates/fields.lua.j2").read_text("utf-8")):
        found[reason] = Reason(
            areas={"edge"}, codes={Code.INVALID_ARGUMENT.name}, en=en.replace("%d", "…"), zh=zh.replace("%d", "…")
        )
    for path, tree in _sources():
        area = _area(path)
        for node in ast.walk(tree):
            by_rule = isinstance(node, ast.Call) and _name(node.func) == "Violation"
            for reason, code, en, zh in _said(node):
                entry = found[reason]
                entry.areas.add(area)
                if code and not (by_rule and (area, reason) in of_state):
                    entry.codes.add(code)
                # Said in several places: the first, or one that goes on where it ends and tells what to do.
                if en != entry.en and en.startswith(entry.en.rstrip(".")):
                    entry.en, entry.zh = en, zh
    return dict(sorted(found.items()))


def _of_state() -> frozenset[tuple[str, str]]:
    """(area, reason) of the violations that are faults of state: a table gives them a status of their own."""
    return frozenset(
        (_area(path), reason)
        for path, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(value, ast.Tuple) and value.elts and _code_name(value.elts[0])
        if key is not None and (reason := _reason(key))
    )


def _said(node: ast.AST) -> Iterator[tuple[str, str, str, str]]:
    """Reason, status name or nothing, texts or nothing, as one expression says them."""
    if isinstance(node, ast.Call):
        named = {each.arg: each.value for each in node.keywords if each.arg}
        arguments = [*node.args, *(named[name] for name in ("reason", "en", "zh") if name in named)]
        code = _code_of(node)
        yield from _texts(arguments, code)
        # The texts may be the rule's own.
        reason = next((found for each in arguments if (found := _reason(each))), "")
        if code and reason:
            yield reason, code, "", ""
    elif isinstance(node, ast.Tuple):
        code = next((name for each in node.elts if (name := _code_name(each))), "")
        yield from _texts(node.elts, code)
        if code and len(node.elts) == 2 and (reason := _reason(node.elts[1])):
            yield reason, code, "", ""
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None and isinstance(value, ast.Tuple):
                yield from _texts([key, *value.elts[-2:]], "")


def _texts(expressions: list[ast.expr], code: str) -> Iterator[tuple[str, str, str, str]]:
    for first, second, third in zip(expressions, expressions[1:], expressions[2:], strict=False):
        reason, en, zh = _reason(first), _text(second), _text(third)
        if reason and en and _CHINESE.search(zh):
            yield reason, code, en, zh


def _reason(node: ast.expr) -> str:
    if isinstance(node, ast.Name | ast.Attribute):
        # A constant that is called as it reads.
        name = node.id if isinstance(node, ast.Name) else node.attr
        return name if name in _constants() else ""
    text = node.value if isinstance(node, ast.Constant) else None
    return text if isinstance(text, str) and _REASON.fullmatch(text) else ""


@cache
def _constants() -> frozenset[str]:
    """Constants of modules whose value is their name: `REQUEST_ID_REUSED: Final = "REQUEST_ID_REUSED"`."""
    return frozenset(
        node.target.id
        for _, tree in _sources()
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if isinstance(node.value, ast.Constant) and node.value.value == node.target.id
    )


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(each.value if isinstance(each, ast.Constant) else "…" for each in node.values)
    return ""


def _code_of(call: ast.Call) -> str:
    given = next((name for each in call.args if (name := _code_name(each))), "")
    maker = _MAKERS.get(_name(call.func))
    return given or (maker.name if maker else "")


def _code_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Code":
        return node.attr
    return ""


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


@cache
def _sources() -> tuple[tuple[Path, ast.Module], ...]:
    paths = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    return tuple(
        (path.relative_to(ROOT), ast.parse(path.read_text("utf-8")))
        for path in paths
        if not {"testing", "migrations"} & set(path.parts) and path.name != "testing.py"
    )


def _area(path: Path) -> str:
    if path.parts[0] == "shuniu":
        return "every process"
    if path.parts[:2] == ("gateway", "envoy"):
        return "edge"
    return "vault" if "vault" in path.parts else path.parts[1]


def errors_page() -> str:
    rows = [
        (
            f"`{name}`",
            ", ".join(sorted(reason.codes)) or "by rule",
            ", ".join(sorted(reason.areas)),
            reason.en or "*as the rule says*",
            reason.zh,
        )
        for name, reason in reasons().items()
    ]
    preface = """
An error is a gRPC status with `google.rpc.ErrorInfo` (`reason`, `domain` = `shuniu`, `metadata`),
`LocalizedMessage` (zh-CN), `RequestInfo` (the id to quote) and, for a request that is wrong, `BadRequest` with
every violation at once; over REST the same as JSON. Programs read `reason`; people read the texts, each of which
says what to do. `…` stands for a value.

- `UNAVAILABLE`, `DEADLINE_EXCEEDED`: retry with the same `request_id`.
- `ABORTED`: read again, then decide; `REQUEST_ID_REUSED` means that an id was used for other content.
- `RESOURCE_EXHAUSTED`: wait, then retry; but for what is too large (`DOCUMENT_TOO_LARGE`, `BODY_TOO_LARGE`), which is
  refused again however often it is sent. gRPC has no status of its own for it; a program looks at the reason.
- Too large, by who says it: esign `DOCUMENT_TOO_LARGE` (over 20 MiB: gRPC `RESOURCE_EXHAUSTED`, REST 429, `code` 8),
  the pages `DOCUMENT_TOO_LARGE` (HTTP 413), the edge `REQUEST_TOO_LARGE` (over 21 MiB with a document, else 4 MiB from
  platforms and 64 KiB from people: REST 413 with `code` 3, gRPC `UNKNOWN`). A signed document must not be made smaller
  by its holder: compressing, printing or saving it destroys the signature. Ask the issuer for a smaller one, or verify
  by hash, number or QR code.
- `INTERNAL` with reason `INCIDENT`: nothing of the cause leaves the process; the operator finds it in the log by
  the incident id.
- *by rule*: a rule's own refusal. It arrives as a field violation of `INVALID_ARGUMENT`, or with the status that
  the service gives this state, the rule's reason then being `metadata["cause"]`.
"""
    return _page("Errors", preface, _table(("reason", "status", "said by", "English", "中文"), rows))


# Events.

_AUDIENCES: Final = {
    audience_pb2.AUDIENCE_HUB: "nobody: the hub's own services alone",
    audience_pb2.AUDIENCE_ADDRESSED: "nobody",
    audience_pb2.AUDIENCE_SUPERVISORS: "subscribers with the scope `{scope}`, in their division and below",
    audience_pb2.AUDIENCE_PUBLIC: "every subscriber",
}


@dataclass(frozen=True, slots=True)
class EventType:
    """One event type: its topic, payload message, who it is addressed to and who else hears it."""

    topic: str
    payload: str
    addressees: str
    audience: str


def event_types() -> list[EventType]:
    """Every event type that the contract declares, by topic."""
    found = [
        EventType(
            each.topic,
            message.name,
            ", ".join(f"`{name}`" for name in each.addressees),
            _AUDIENCES[each.audience].format(scope=each.scope),
        )
        for file in contract().files
        for message in file.message_type
        for each in message.options.Extensions[audience_pb2.event]
    ]
    return sorted(found, key=lambda event: event.topic)


def published_topics() -> set[str]:
    """Topics that the services' code names."""
    return {
        node.value
        for path, tree in _sources()
        if path.parts[0] == "services" and path.name == "events.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _TOPIC.fullmatch(node.value)
    }


def events_page() -> str:
    types = event_types()
    rows = [
        (
            f"`shuniu.{event.topic}.v1`",
            event.topic.split(".")[0],
            f"[{event.payload}](#{event.payload.lower()})",
            event.addressees,
            event.audience,
        )
        for event in types
    ]
    parts = [_table(("type", "published by", "payload", "addressed to", "others that hear it"), rows)]
    for file in contract().files:
        if file.package == "shuniu.api.events.v1":
            parts += [_payload(message) for message in file.message_type]
    preface = """
Events are CloudEvents 1.0 in binary mode: attributes in headers (`ce-id`, `ce-type`, `ce-source`, `ce-subject`,
`ce-time`, `ce-seq`, `ce-division`, `ce-zone`, `ce-secrecy`, `traceparent`), the payload as protobuf from
`shuniu.api.events.v1`. The hub's own services find an event on `evt.<topic>.v1`; an organisation finds what it may
hear on `inbox.<topic>.v1` of its own stream: what is addressed to it, by the named field of the payload, without a
subscription; what others hear, when it subscribed to the topic and division. Nobody hears an event whose label is
above its clearance, or whose way crosses zones that the hub does not let it cross. `ce-seq` counts per aggregate
from 1 without gaps; after a restore of the hub it goes on a million further. Delivery is at least once: keep `ce-id`,
and treat the same id with other content as an alarm.
Unknown fields are ignored; a new major version runs beside the old one. An event is closed by the receiver's
receipt alone: a request on `submit.receipt` with the id and the SHA-256 of the stored bytes, which is answered once
the hub has it. Acknowledge the message then: a receipt that is lost on the way is sent again with its event.
"""
    return _page("Events", preface, *parts)


def _payload(message: descriptor_pb2.DescriptorProto) -> str:
    full = f"shuniu.api.events.v1.{message.name}"
    rows = [(f"`{each.name}`", _kind(each), contract().comments[f"{full}.{each.name}"]) for each in message.field]
    return f"## {message.name}\n\n{contract().comments[full]}\n\n" + _table(("field", "type", "what it is"), rows)


def _kind(each: descriptor_pb2.FieldDescriptorProto) -> str:
    names = {
        FieldDescriptor.TYPE_STRING: "string",
        FieldDescriptor.TYPE_INT32: "int32",
        FieldDescriptor.TYPE_INT64: "int64",
        FieldDescriptor.TYPE_BOOL: "bool",
        FieldDescriptor.TYPE_BYTES: "bytes",
    }
    name = names.get(each.type) or each.type_name.rsplit(".", 1)[-1]
    return f"repeated {name}" if each.label == FieldDescriptor.LABEL_REPEATED else name


# Verdicts.

_BY_HAND: Final = "<!-- From here on written by `python -m docs.generate`; do not edit. -->"


def verdict_page() -> str:
    """The text that people wrote, as it stands, and the tables of reasons."""
    text = (ROOT / "docs" / "verdict.md").read_text("utf-8").partition(_BY_HAND)[0]
    return f"{text}{_BY_HAND}\n\n{verdict_reasons.tables()}"


if __name__ == "__main__":
    main()
