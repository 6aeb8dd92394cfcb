"""Verification over real HTTP: verdicts as pages and JSON, uploads, and what is served while esign is unavailable."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.esign.verification.workers.refusals import away
from tests.support.web_land import SUMMARIES, WebLand, web_land


@pytest_asyncio.fixture
async def land() -> AsyncIterator[WebLand]:
    async with web_land() as found:
        yield found


@pytest.mark.parametrize(
    ("kind", "chinese", "english"),
    [
        ("VALID", "有效", "Valid"),
        ("INVALID", "无效", "Not valid"),
        ("INDETERMINATE", "无法确定", "Cannot be determined"),
    ],
)
async def test_a_verdict_comes_with_its_steps(land: WebLand, kind: str, chinese: str, english: str) -> None:
    """By plain form as a page, by script as JSON: word, sentences, signatures, reasons and time, in one language."""
    land.esign.answer = kind
    files = {
        "pdf": ("a.pdf", b"%PDF-1.7 x", "application/pdf"),
        "receipt": ("a.tlog-proof", b"c2sp.org/tlog-proof@v1\n"),
    }
    async with land.browser() as http:
        page = await http.post("/verify/upload", files=files)
        script = await http.post("/verify/upload?lang=en", files=files, headers={"accept": "application/json"})
    assert page.status_code == 200
    assert f'data-verdict="{kind}"' in page.text
    assert f'data-slot="word">{chinese}<' in page.text
    assert "2026-11-18 " in page.text
    assert "文件结构正确。" in page.text
    body = script.json()
    assert (body["verdict"], body["word"]) == (kind, english)
    (holds, _), cause, (advice, _) = SUMMARIES[kind]
    assert holds in page.text
    assert advice in page.text
    assert body["asked"].startswith("a.pdf, judged at ")
    assert (body["holds"], body["cause"]) == (SUMMARIES[kind][0][1], "" if cause is None else cause[1])
    assert body["signatures"][0]["kind"] == "Electronic signature"
    assert [said for said in body["signatures"][0]["lines"] if said[0] == "Scope"] == [["Scope", "the whole file"]]
    assert body["steps"][0] == {
        "step": "parse",
        "name": "Structure",
        "status": "valid",
        "word": "passed",
        "reason": "OK",
        "text": "The structure is correct.",
    }
    assert body["facts"][0] == ["Title", "无犯罪记录证明"]
    assert (land.esign.seen[0].pdf, land.esign.seen[0].tlog_proof) == (b"%PDF-1.7 x", "c2sp.org/tlog-proof@v1\n")


async def test_an_unknown_word_never_becomes_good() -> None:
    """A verdict or status that this page does not know is shown as not determined."""
    from gateway.web.verdicts import shown
    from shuniu.api.esign.v1 import esign_pb2

    odd = esign_pb2.Verdict(verdict="FINE", steps=[esign_pb2.VerdictStep(step="new", status="great", text="x")])
    found = shown(odd, "en")
    assert (found.verdict, found.steps[0].status, found.steps[0].name) == ("INDETERMINATE", "unknown", "new")


async def test_nobody_judges_for_a_browser_that_left() -> None:
    """The call to esign ends, and the place is free: a sender with all his places taken gets one again."""
    async with web_land(max_uploads=1) as land, land.browser() as http:
        land.esign.slow = True
        asked = asyncio.create_task(http.post("/verify/upload", files={"pdf": ("a.pdf", b"%PDF-1.7 x")}))
        await land.esign.begun.wait()
        asked.cancel()
        await land.esign.left.wait()
        land.esign.slow = False
        assert (await http.post("/verify/upload", files={"pdf": ("a.pdf", b"%PDF-1.7 x")})).status_code == 200


async def test_a_document_that_could_not_be_read_is_sent_once(land: WebLand) -> None:
    """esign has tried with two workers before it says VERIFY_AWAY: the person hears it at once, and no further worker is
    lost to the same document. The next upload is judged.
    """
    land.esign.refusal = away()
    async with land.browser() as http:
        files = {"pdf": ("a.pdf", b"%PDF-1.7 x")}
        told = await http.post("/verify/upload", files=files, headers={"accept": "application/json"})
        assert (told.status_code, len(land.esign.seen)) == (503, 1)
        land.esign.refusal = None
        assert (await http.post("/verify/upload", files=files)).status_code == 200


async def test_uploads_are_bounded() -> None:
    """Too large, announced or not, empty, and of the wrong form: a clear answer, and nothing reaches esign."""
    async with web_land(max_document_bytes=1024 * 1024) as land, land.browser(accept="application/json") as http:
        large = {"pdf": ("a.pdf", b"x" * (1024 * 1024 + 1))}
        announced = await http.post("/verify/upload", files={"pdf": ("a.pdf", b"x" * (3 * 1024 * 1024))})
        counted = await http.post("/verify/upload", files=large)

        async def endless() -> AsyncIterator[bytes]:
            yield b'--b\r\ncontent-disposition: form-data; name="pdf"; filename="a"\r\n\r\n'
            for _ in range(40):
                yield b"x" * 65536

        multipart = {"content-type": "multipart/form-data; boundary=b"}
        streamed = await http.post("/verify/upload", content=endless(), headers=multipart)
        empty = await http.post("/verify/upload", files={"pdf": ("a.pdf", b"")})
        other = await http.post("/verify/upload", content=b"%PDF", headers={"content-type": "application/pdf"})
        broken = await http.post("/verify/upload", content=b"--b\r\n\r\n\r\nxx", headers=multipart)
    answers = (announced, counted, streamed, empty, other, broken)
    assert [answer.status_code for answer in answers] == [413, 413, 413, 400, 400, 400]
    assert counted.json() == {
        "reason": "DOCUMENT_TOO_LARGE",
        "message": "文件超过 1 MiB，没有核验；请向出具单位索取较小的版本（自行压缩会使签章失效），或扫描二维码、按编号核验。",
    }
    assert not land.esign.seen


async def test_qr_content_is_judged_by_form_and_by_script(land: WebLand) -> None:
    """The same code as a page and as JSON; nonsense is refused before esign is asked."""
    async with land.browser() as http:
        page = await http.post("/verify/qr", data={"content": "https://hub.example/v#abc"})
        script = await http.post("/verify/qr", json={"content": "abc"}, headers={"accept": "application/json"})
        refused = [
            await http.post("/verify/qr", json=content, headers={"accept": "application/json"})
            for content in ({}, [], {"content": 3}, {"content": "x" * 4000})
        ]
    assert 'data-verdict="VALID"' in page.text
    assert script.json()["verdict"] == "VALID"
    assert [answer.status_code for answer in refused] == [400] * 4
    assert [request.content for request in land.esign.seen] == ["https://hub.example/v#abc", "abc"]


async def test_a_hash_or_a_number_is_judged_by_form_and_by_script(land: WebLand) -> None:
    """The answer never contains the file. It is a page or JSON; it names each fault once."""
    digest, script = "ab" * 32, {"accept": "application/json"}
    number = {"number": " 150000202600001 ", "issued_on": "2026-06-01"}
    async with land.browser() as http:
        page = await http.post("/verify/lookup/hash", data={"hash": digest})
        told = await http.post("/verify/lookup/number?lang=en", data=number, headers=script)
        missing = await http.post("/verify/lookup/number", data={"number": "<b>1</b>"})
        wrong = await http.post("/verify/lookup/number", data={**number, "issued_on": "1.6.2026"}, headers=script)
        again = [(await http.get(f"/verify/lookup/{kind}")).headers["location"] for kind in ("hash", "number")]
    assert 'data-verdict="VALID"' in page.text
    assert "登记有效" in page.text
    assert told.json()["word"] == "Registered and in force"
    assert (missing.status_code, "请填写签发日期。" in missing.text, "<b>1" in missing.text) == (400, True, False)
    assert (wrong.status_code, wrong.json()["reason"]) == (400, "DATE_FORM")
    assert again == ["/verify/lookup"] * 2
    assert [type(request).__name__ for request in land.esign.seen] == [
        "VerifyByHashRequest",
        *["VerifyByNumberRequest"] * 2,
    ]
    asked = land.esign.seen[1]
    assert (asked.number, asked.issued_on.year, asked.issued_on.month, asked.issued_on.day) == (
        "150000202600001",
        2026,
        6,
        1,
    )


async def test_trust_is_served_while_esign_is_away() -> None:
    """The last known keys are served when esign cannot be asked."""
    async with web_land(document_seconds=0.0) as land, land.browser() as http:
        before = await http.get("/verify/trust")
        await land.stop_esign()
        after = await http.get("/verify/trust")
    assert (before.json(), after.status_code, after.json()) == ({"keys": []}, 200, {"keys": []})


async def test_services_away_are_told_and_retriable() -> None:
    """With esign away an upload is answered 503 with Retry-After; the pages themselves stay up."""
    async with web_land() as land, land.browser() as http:
        await land.stop_esign()
        page = await http.get("/verify")
        content = {"content": "https://hub.example/v#abc"}
        answer = await http.post("/verify/qr", json=content, headers={"accept": "application/json"})
    assert page.status_code == 200
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_worker_lists_what_the_qr_page_needs(land: WebLand) -> None:
    """The service worker keeps the page, its files and the keys, for the scope of the page alone."""
    async with land.browser() as http:
        worker = await http.get("/v/worker.js")
        listed = json.loads(re.findall(r"const FILES = (\[.*\]);", worker.text)[0])
        answers = [await http.get(file) for file in listed]
    assert worker.headers["service-worker-allowed"] == "/v"
    assert {"/v", "/verify/trust", "/static/qr.js", "/static/verdict.js"} <= set(listed)
    assert any(file.startswith("/static/verify.js") for file in listed)
    assert [answer.status_code for answer in answers] == [200] * len(listed)
