"""Texts of requests: each one of each call that changes something is read as it is stored, or refused by name."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

import shuniu.api
from shuniu.api.exchange.v1 import case_pb2
from shuniu.kit.errors import HubError
from shuniu.kit.rpc.policy import policy_of, services_of
from shuniu.kit.rpc.texts import check_texts

TURNED = "\u202ecod.exe"


def mutating() -> list[MethodDescriptor]:
    modules = (found.name for found in pkgutil.walk_packages(shuniu.api.__path__, "shuniu.api."))
    files = [importlib.import_module(name).DESCRIPTOR for name in modules if name.endswith("_pb2")]
    return [each for service in services_of(files) for each in service.methods if policy_of(each).mutates]


def texts_of(kind: Descriptor, at: str = "", depth: int = 4) -> Iterator[tuple[str, tuple[FieldDescriptor, ...]]]:
    """Each text that a message may hold: its path, and the fields that lead to it."""
    for field in kind.fields:
        path = f"{at}{field.name}"
        held = field.message_type
        if held is not None and held.GetOptions().map_entry:
            value = held.fields_by_name["value"]
            if value.type == FieldDescriptor.TYPE_STRING:
                yield f"{path}.key", (field,)
        elif held is not None:
            if depth:
                for below, fields in texts_of(held, f"{path}{'[0]' if field.is_repeated else ''}.", depth - 1):
                    yield below, (field, *fields)
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield f"{path}[0]" if field.is_repeated else path, (field,)


def put(message: Any, fields: tuple[FieldDescriptor, ...]) -> None:
    for field in fields[:-1]:
        held = getattr(message, field.name)
        message = held.add() if field.is_repeated else held
    last = fields[-1]
    if last.message_type is not None:
        getattr(message, last.name)["key"] = TURNED
    elif last.is_repeated:
        getattr(message, last.name).append(TURNED)
    else:
        setattr(message, last.name, TURNED)


@pytest.mark.parametrize("method", mutating(), ids=lambda each: each.name)
def test_every_text_of_every_call_that_changes_something_is_looked_at(method: MethodDescriptor) -> None:
    """Whatever service it belongs to and however deep it lies; the answer names its path."""
    kind = message_factory.GetMessageClass(method.input_type)
    for path, fields in texts_of(method.input_type):
        message = kind()
        put(message, fields)
        with pytest.raises(HubError) as caught:
            check_texts(message)
        assert [(each.field, each.reason) for each in caught.value.violations] == [(path, "TEXT_CONTROL")]
    check_texts(kind())


def test_all_faults_are_named_at_once_and_none_is_repeated() -> None:
    """Names of a map that are faults themselves stay out of the path; an endless list of faults is cut."""
    request = case_pb2.ApplyCaseRequest(item_code="\x07", form={"a": "\x00", "b\u2066": "x", "c": "行\n行"})
    request.materials.add(name="ok")
    request.materials.add(name="\u202a")
    with pytest.raises(HubError) as caught:
        check_texts(request)
    assert {each.field for each in caught.value.violations} == {"item_code", "form", "form.a", "materials[1].name"}
    endless = case_pb2.MoveCaseRequest(missing_materials=[TURNED] * 1000)
    with pytest.raises(HubError) as caught:
        check_texts(endless)
    assert len(caught.value.violations) == 50


def test_a_request_of_endless_lists_is_refused_by_their_length() -> None:
    """A message of some hundred kilobytes may hold a hundred thousand empty texts; they are counted, not walked."""
    request = case_pb2.MoveCaseRequest(missing_materials=[""] * 100_000)
    check_texts(request)
    request.missing_materials.append("")
    with pytest.raises(HubError) as refused:
        check_texts(request)
    assert "REQUEST_PARTS" in str(refused.value.violations)
