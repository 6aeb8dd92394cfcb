"""Texts of a request: what is stored of them people read later, so each is looked at before the handler is called."""

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from shuniu.kit import errors
from shuniu.reading import is_readable, unreadable

# Faults named in one answer.
_MOST: Final = 50


def check_texts(request: Message) -> None:
    """Raises INVALID_ARGUMENT TEXT_CONTROL naming each text of the message that is not readable."""
    found = dict.fromkeys(path for path, _ in zip(_unreadable(request, ""), range(_MOST), strict=False))
    if found:
        raise errors.invalid(unreadable(path) for path in found)


def _unreadable(message: Message, at: str) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE):
            yield from _in_field(field, value, f"{at}{field.name}")


def _in_field(field: FieldDescriptor, value: Any, path: str) -> Iterator[str]:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        yield from _in_map(kind.fields_by_name["value"], value, path)
    elif field.is_repeated:
        for index, each in enumerate(value):
            yield from _in_one(each, f"{path}[{index}]")
    else:
        yield from _in_one(value, path)


def _in_map(held: FieldDescriptor, value: Any, path: str) -> Iterator[str]:
    for name in value:
        if isinstance(name, str) and not is_readable(name):
            # A name that is itself a fault is not repeated in the path.
            yield path
        elif held.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE):
            yield from _in_one(value[name], f"{path}.{name}")


def _in_one(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if not is_readable(value):
            yield path
    else:
        yield from _unreadable(value, f"{path}.")
