"""Texts of a request: what is stored of them people read later, so each is looked at before the handler is called."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from shuniu.kit import errors
from shuniu.reading import is_readable, unreadable

# Faults named in one answer.
_MOST: Final = 50
# Texts and messages that the lists of a request may hold: the other calls of the process wait while they are looked at.
_MOST_PARTS: Final = 100_000


def check_texts(request: Message) -> None:
    """Raises INVALID_ARGUMENT: TEXT_CONTROL naming each text of the message that is not readable, or REQUEST_PARTS when
    its lists have more than 100,000 entries.
    """
    if _parts(request, _MOST_PARTS) > _MOST_PARTS:
        raise errors.invalid_field(
            "",
            "REQUEST_PARTS",
            "The request's lists have more than 100,000 entries; send it in parts.",
            "请求中列表超过 10 万项，请分批提交。",
        )
    found = dict.fromkeys(islice(_unreadable(request, ""), _MOST))
    if found:
        raise errors.invalid(unreadable(path) for path in found)


def _parts(message: Message, most: int) -> int:
    """Counts texts and messages in lists, a little beyond `most` at the most."""
    found = 0
    for field, value in message.ListFields():
        if field.is_repeated and field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE):
            found += len(value)
        kind = field.message_type
        if found > most:
            return found
        if kind is not None and not kind.GetOptions().map_entry:
            for each in value if field.is_repeated else (value,):
                found += _parts(each, most - found)
                if found > most:
                    return found
    return found


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
