"""REST requests that the contract does not know: a real Envoy names each field, and takes all that the contract has."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from google.api import annotations_pb2
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from gateway.envoy import contract
from gateway.envoy.contract import Listener
from gateway.envoy.testing import Identity
from tests.support.edge_land import Running, bearer, edge_land

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Running]:
    async with edge_land() as found:
        yield found


@pytest.fixture
def bureau(running: Running) -> Identity:
    return running.world.platforms.platform("bureau")


def calls() -> Iterator[tuple[str, str, bool, MethodDescriptor]]:
    """Each REST call of platforms: method, a path of it, whether it has a body."""
    for rpc in contract.shipped().at(Listener.PLATFORMS):
        rule = rpc.descriptor.GetOptions().Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        if verb:
            path = getattr(rule, verb).replace("{path=tile/**}", "tile/0/000").replace("{item.id}", "X")
            while "{" in path:
                path = path[: path.index("{")] + "X" + path[path.index("}") + 1 :]
            yield verb.upper(), path, rule.body == "*", rpc.descriptor


def filled(kind: Descriptor, depth: int = 4) -> Any:
    """A message with something in each field."""
    message = message_factory.GetMessageClass(kind)()
    for field in kind.fields:
        held = field.message_type
        if held is not None and held.GetOptions().map_entry:
            getattr(message, field.name)['甲 "x'] = "y"
        elif held is not None and depth:
            value = filled(held, depth - 1)
            if field.is_repeated:
                getattr(message, field.name).extend([value, value])
            else:
                getattr(message, field.name).CopyFrom(value)
        elif held is None:
            values = {FieldDescriptor.CPPTYPE_STRING: '字\\"\n', FieldDescriptor.CPPTYPE_BOOL: True}
            value = b"\x00\xff" if field.type == FieldDescriptor.TYPE_BYTES else values.get(field.cpp_type, 1)
            if field.is_repeated:
                getattr(message, field.name).extend([value, value])
            else:
                setattr(message, field.name, value)
    return message


def violations(answer: Any) -> list[tuple[str, str]]:
    body = answer.json()
    assert (answer.status_code, body["code"], body["details"][0]["reason"]) == (400, 3, "REQUEST_MALFORMED"), body
    found = body["details"][2]["fieldViolations"]
    assert all(each["description"] and each["localizedMessage"]["message"] for each in found)
    assert all(each["field"] in body["message"] for each in found)
    return [(each["field"], each["reason"]) for each in found]


@pytest.mark.parametrize(
    ("method", "path", "has_body", "descriptor"), list(calls()), ids=[each[3].name for each in calls()]
)
async def test_each_call_names_what_it_does_not_know(running, bureau, method, path, has_body, descriptor):
    """Whatever the call: an unknown parameter and an unknown field are refused by name, before anybody is asked for a token; each
    field of the contract is taken, under both of its names.
    """
    async with running.http(bureau) as client:
        answer = await client.request(method, path, params={"noSuch": "1", "page.size": "2"})
        assert violations(answer) == [("noSuch", "FIELD_UNKNOWN"), ("page.size", "FIELD_UNKNOWN")]
        if not has_body:
            return
        answer = await client.request(method, path, json={"no_such": {"a": [1, {"b": "}"}]}, "requestId": []})
        names = {each.name for each in descriptor.input_type.fields}
        wrong = ("requestId", "FIELD_KIND" if "request_id" in names else "FIELD_UNKNOWN")
        assert violations(answer) == [("no_such", "FIELD_UNKNOWN"), wrong]
        for original in (True, False):
            content = json_format.MessageToJson(filled(descriptor.input_type), preserving_proto_field_name=original)
            taken = await client.request(method, path, content=content, headers={"content-type": "application/json"})
            assert "fieldViolations" not in taken.text, taken.text


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('{"item": {"title": "甲", "tilte": "乙"}}', [("item.tilte", "FIELD_UNKNOWN")]),
        ('{"item": {"title": 7, "materials": [{"name": "a"}, {"nmae": "b"}]}}',
         [("item.title", "FIELD_KIND"), ("item.materials[1].nmae", "FIELD_UNKNOWN")]),
        ('{"item": {"materials": {}}}', [("item.materials", "FIELD_KIND")]),
        ('{"item": "x", "editor": {"a": 1}}', [("item", "FIELD_KIND"), ("editor", "FIELD_KIND")]),
        ('{"item": {"level": "ITEM_LEVEL_NONE"}}', [("item.level", "VALUE_UNKNOWN")]),
        ('{"item": {"level": true}}', [("item.level", "FIELD_KIND")]),
        ('{"requestId": "1", "request_id": "2"}', [("request_id", "FIELD_REPEATED")]),
        ('{"a\\"b\\u202e<script>": 1}', [("a??b?u202e?script?", "FIELD_UNKNOWN")]),
        ('{"editor": "x"', [("editor", "JSON_FORM")]),
        ('{"editor": nothing}', [("editor", "JSON_FORM")]),
        ("[1]", [("body", "JSON_FORM")]),
        ('{"item": {"title": "甲"}} trailing', [("item.title", "JSON_FORM")]),
        ('{"no": ' + "[" * 200 + "]" * 200 + "}", [("no", "FIELD_UNKNOWN"), ("body", "JSON_FORM")]),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(running, bureau, content, named):
    """Paths lead into messages and rows; names of strangers are repeated harmlessly; what is no JSON is told where it ends."""
    async with running.http(bureau) as client:
        answer = await client.post("/v1/items", content=content, headers={"content-type": "application/json"})
        assert violations(answer) == named


async def test_what_json_may_look_like_is_taken(running, bureau):
    """White space, escapes, null, numbers as text, and a document of 19 MiB whose pieces end anywhere."""
    token = dict(bearer(running.world.signer.token("bureau", bureau)))
    content = (
        ' {\r\n"item" : {"title":"\\u7532\\\\\\"}{", "code": null ,"aliases":[ ] , "minIal":"2"},\t"editor":"x" } \n'
    )
    async with running.http(bureau) as client:
        answer = await client.post("/v1/items", content=content, headers={**token, "content-type": "application/json"})
        assert (answer.status_code, answer.json()["item"]["title"]) == (200, '甲\\"}{')
        for size in (65_520, 65_525, 65_530, 200_000):
            body = {"item": {"title": "x" * size + '"\\'}, "editor": "y"}
            answer = await client.post("/v1/items", json=body, headers=token)
            assert answer.json()["item"]["title"] == body["item"]["title"]
    async with running.http(None, "people") as client:
        answer = await client.post("/v1/verification:document", json={"pdf": "A" * (26 << 20)}, timeout=60)
        assert answer.json()["verdict"]["verdict"] == str((26 << 20) * 3 // 4)
        answer = await client.post("/v1/verification:document", json={"pdf": "A" * (20 << 20), "pfd": ""}, timeout=60)
        assert violations(answer) == [("pfd", "FIELD_UNKNOWN")]


async def test_many_faults_are_cut(running, bureau):
    """Twenty are named of any number."""
    async with running.http(bureau) as client:
        answer = await client.post("/v1/items", content=json.dumps({f"f{number}": 1 for number in range(1000)}))
        assert len(violations(answer)) == 20


async def test_a_body_of_endless_marks_is_read_to_a_bound(running):
    """What stands behind 100,000 marks of JSON or escapes is left to the transcoder: no sender keeps the edge from others."""
    short, long = {"pdf": [1] * 1_000, "pfd": ""}, {"pdf": [1] * 200_000, "pfd": ""}
    async with running.http(None, "people") as client:
        answer = await client.post("/v1/verification:document", json=short, timeout=60)
        assert violations(answer) == [("pdf", "FIELD_KIND"), ("pfd", "FIELD_UNKNOWN")]
        answer = await client.post("/v1/verification:document", json=long, timeout=60)
        assert violations(answer) == [("pdf", "FIELD_KIND")]
        escaped = '{"pdf":"' + "\\/" * 200_000 + '","pfd":""}'
        answer = await client.post("/v1/verification:document", content=escaped, timeout=60)
        assert answer.status_code == 200


@pytest.mark.parametrize("content", ['"a b"', '"QUJD\\n"', '"文"', '"QQ==!"'])
async def test_a_document_that_is_no_base64_is_named(running, content):
    """The transcoder names no field; what it takes (both alphabets, escapes of them) is taken."""
    async with running.http(None, "people") as client:
        answer = await client.post("/v1/verification:document", content=f'{{"pdf": {content}}}'.encode())
        assert violations(answer) == [("pdf", "BASE64_FORM")]
        for taken in ("QUJD", "QUI=", "-_8=", "\\/+8=", "\\u002b\\u002b8="):
            answer = await client.post("/v1/verification:document", content=f'{{"pdf": "{taken}"}}')
            assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("content", "at"), [("{", 2), ('{"editor": nothing}', 12), ('{"item": {}} x', 14)])
async def test_the_place_where_json_ends_is_told(running, bureau, content, at):
    """In bytes from the beginning, in both languages."""
    async with running.http(bureau) as client:
        answer = await client.post("/v1/items", content=content, headers={"content-type": "application/json"})
        (found,) = answer.json()["details"][2]["fieldViolations"]
        assert f" {at} " in found["description"]
        assert f" {at} " in found["localizedMessage"]["message"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("hash_tail", ["hashTail"]),
        ("issued_on materials[0].sha_256 on a.issued_on", ["issuedOn", "materials[0].sha256", "on", "a.issuedOn"]),
        ("title", ["title"]),
    ],
)
async def test_fields_of_a_refusal_have_jsons_names(running, bureau, names, told):
    """A service names fields as the contract does, the REST caller hears the names that JSON has, in the sentence too."""
    token = dict(bearer(running.world.signer.token("bureau", bureau)))
    async with running.http(bureau) as client:
        answer = await client.get(f"/v1/items/wrong {names}", headers=token)
    violations_of = next(each["fieldViolations"] for each in answer.json()["details"] if "fieldViolations" in each)
    assert (answer.status_code, [each["field"] for each in violations_of]) == (400, told)
    assert answer.json()["message"].startswith(told[0] + ": ") or len(told) > 1
