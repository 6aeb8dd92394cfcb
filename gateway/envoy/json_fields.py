"""The fields that a REST request may hold, as the edge's script `fields.lua` reads it: paths, fields and their kinds.

The transcoder ignores unknown fields of a body, and refuses unknown parameters of a query without naming them. The
script runs before it and names both.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor

# Messages that JSON writes as something else than an object with these fields.
_AS_TEXT: Final = frozenset(
    f"google.protobuf.{name}" for name in ("Timestamp", "Duration", "FieldMask", "StringValue", "BytesValue")
)
_AS_ANYTHING: Final = frozenset(f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue"))
_KINDS: Final = {
    FieldDescriptor.TYPE_STRING: "text",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_BOOL: "bool",
}
_VARIABLE: Final = re.compile(r"\{[^=}]+(?:=([^}]+))?\}")


@dataclass(frozen=True, slots=True)
class Fields:
    """The tables of the script. A rule has a method, a pattern of the path and a message; a message maps each name of a
    field to its kind; messages and enums are named by number.
    """

    rules: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    enums: list[dict[str, bool]] = field(default_factory=list)


def fields_of(methods: Iterable[MethodDescriptor]) -> Fields:
    """The tables for the REST calls among these. Rules with more literal characters in their path come first."""
    found = Fields()
    numbers: dict[str, int] = {}
    for method in methods:
        rule: http_pb2.HttpRule = method.GetOptions().Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        if verb is None:
            continue
        path: str = getattr(rule, verb)
        found.rules.append(
            {
                "method": verb.upper(),
                "path": f"^{_pattern(path)}$",
                "message": _message(method.input_type, found, numbers),
                "body": rule.body == "*",
                "literal": len(_VARIABLE.sub("", path)),
            }
        )
    found.rules.sort(key=lambda each: (-each.pop("literal"), each["path"], each["method"]))
    return found


def _pattern(path: str) -> str:
    """A path template as a pattern of Lua."""
    made, at = "", 0
    for variable in _VARIABLE.finditer(path):
        made += _escaped(path[at : variable.start()])
        inside = variable[1] or "*"
        made += "".join({"**": ".+", "*": "[^/]+"}.get(part, _escaped(part)) for part in re.split(r"(\*\*|\*)", inside))
        at = variable.end()
    return made + _escaped(path[at:])


def _escaped(text: str) -> str:
    return re.sub(r"([^0-9A-Za-z/_])", r"%\1", text)


def _message(kind: Descriptor, found: Fields, numbers: dict[str, int]) -> int:
    """Number of a message, from 1; its fields are described once."""
    if kind.full_name in numbers:
        return numbers[kind.full_name]
    held: dict[str, Any] = {}
    found.messages.append(held)
    number = numbers[kind.full_name] = len(found.messages)
    for each in kind.fields:
        described = _field(each, found, numbers)
        # Both names are JSON's (proto3 JSON mapping).
        for name in {each.json_name, each.name}:
            held[name] = {**described, "name": each.json_name}
    return number


def _field(each: FieldDescriptor, found: Fields, numbers: dict[str, int]) -> dict[str, Any]:
    held = each.message_type
    if held is not None and held.GetOptions().map_entry:
        return {**_field(held.fields_by_name["value"], found, numbers), "shape": "map"}
    described: dict[str, Any] = {"shape": "list"} if each.is_repeated else {}
    if held is not None:
        if held.full_name in _AS_ANYTHING:
            return {**described, "kind": "anything"}
        if held.full_name in _AS_TEXT:
            return {**described, "kind": "text"}
        return {**described, "kind": "message", "of": _message(held, found, numbers)}
    if each.enum_type is not None:
        return {**described, "kind": "enum", "of": _enum(each.enum_type, found, numbers)}
    return {**described, "kind": _KINDS.get(each.type, "number")}


def _enum(kind: EnumDescriptor, found: Fields, numbers: dict[str, int]) -> int:
    if kind.full_name not in numbers:
        found.enums.append({value.name: True for value in kind.values})
        numbers[kind.full_name] = len(found.enums)
    return numbers[kind.full_name]


def lua(value: Any) -> str:
    """A value as Lua's source: tables, texts, numbers and truth."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return '"' + re.sub(r"[^ !#-\[\]-~]", lambda mark: f"\\{ord(mark[0]):03d}", value) + '"'
        case list():
            return "{" + ",".join(map(lua, value)) + "}"
        case dict():
            return "{" + ",".join(f"[{lua(name)}]={lua(each)}" for name, each in value.items()) + "}"
    raise TypeError(type(value).__name__)
