"""Asking a hub by the client library, where no verdict comes of it: every error is one kind, in both languages."""

import importlib
import io
import sys
from types import ModuleType
from typing import Any
from urllib.error import HTTPError, URLError

import pytest

from tests.contract.test_client_library import PROJECT


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in [name for name in sys.modules if name.partition(".")[0] == "shuniu_client"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(PROJECT / "src"))
    return importlib.import_module("shuniu_client.online")


def hub(online: ModuleType, answer: Any) -> Any:
    """One whose transport ends so."""
    asked = online.Hub("https://hub.example")

    class Opener:
        def open(self, *_: object, **__: object) -> object:
            if isinstance(answer, Exception):
                raise answer
            return answer

    asked._opener = Opener()
    return asked


def test_a_document_that_is_too_large_is_not_sent(online: ModuleType) -> None:
    """Its connection would be cut off: the refusal is the hub's own."""
    with pytest.raises(online.HubError) as told:
        hub(online, AssertionError("it was sent")).verify_document(bytes((20 << 20) + 1))
    assert told.value.reason == "DOCUMENT_TOO_LARGE"
    assert "20 MiB" in told.value.zh


@pytest.mark.parametrize(
    "cause",
    [URLError("EOF occurred in violation of protocol"), ConnectionResetError(), io.BytesIO(b"<html>"), TimeoutError()],
)
def test_no_answer_is_one_kind_of_error(online: ModuleType, cause: Any) -> None:
    """Cut off, silent or no hub: HubAwayError, which is an OSError as before, in Chinese first."""
    with pytest.raises(online.HubAwayError, match="没有得到枢纽的答复 / the hub gave no answer") as told:
        hub(online, cause).verify_hash("00" * 32)
    assert isinstance(told.value, OSError)


def test_a_refusal_is_told_in_both_languages(online: ModuleType) -> None:
    """By `str`, Chinese first."""
    assert str(online.HubError(400, "X", "不行", "no")) == "X: 不行 / no"


@pytest.mark.parametrize("body", [b"<html>", b'{"message": "from the page"}'])
def test_an_address_that_is_a_page_is_told_as_that(online: ModuleType, body: bytes) -> None:
    """`https://hub.example/verify` is not the address of the hub."""
    refusal = HTTPError("https://hub.example/verify/v1", 404, "", {}, io.BytesIO(body))  # type: ignore[arg-type]
    with pytest.raises(online.HubError) as told:
        hub(online, refusal).verify_hash("00" * 32)
    assert "url 请只写枢纽的地址" in told.value.zh
    assert "give the hub's address alone" in told.value.en


def test_an_address_without_https_is_refused_in_both_languages(online: ModuleType) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match="枢纽的地址以 https:// 开头 / url: a hub's address begins with https://"):
        online.Hub("http://hub.example")
