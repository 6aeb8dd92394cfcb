"""`shuniu verify` as people and scripts run it: exit codes, steps, the receipt beside the file."""

import asyncio
import json
import os
import re
import sys
import time
import zlib
from pathlib import Path

import jsonschema
import pytest

from examples.witness.notes import Cosigner
from services.esign.certification.domain import pki
from services.esign.domain.verdict import STEPS, Outcome, Step
from services.esign.revocation.domain import answers as revocation
from services.esign.verification import files as verify_command
from services.esign.verification.domain.sentences import verdict_sentences, verdict_words
from services.esign.verification.workers import confined
from tests.support import documents as attack
from tests.support import sm as sm_support
from tests.support.esign import ORGANISATION
from tests.support.hub import command
from tests.support.offline_place import here, laid
from tests.support.witnesses import LOG, cosigner

OFFLINE = {"seal_now", "document"}
SCHEMA = Path(__file__).parents[2] / "docs" / "verdict.schema.json"


def flate_chain() -> bytes:
    """A kilobyte that grows to a gigabyte in two steps."""
    inner = zlib.compress(zlib.compress(bytes(1 << 30), 9), 9)
    return (
        b"%%PDF-1.7\n1 0 obj\n<</Type/XRef/Size 2/W[1 1 1]/Filter[/FlateDecode/FlateDecode]/Length %d>>\nstream\n%b\n"
        b"endstream\nendobj\nstartxref\n9\n%%%%EOF\n" % (len(inner), inner)
    )


@pytest.fixture
def place(tmp_path):
    return laid(tmp_path)


async def test_a_good_document_is_valid_without_any_network(place):
    """Exit 0 with and without its receipt; what cannot be asked offline is not_checked and lowers nothing."""
    status, verdict, without = await place.told()
    assert (status, verdict, without["ledger"][0]) == (0, "VALID", "not_checked")
    assert {name for name, (state, _) in without.items() if state == "not_checked"} >= OFFLINE
    place.beside.write_text(place.receipt)
    status, verdict, steps = await place.told()
    assert (status, verdict, steps["ledger"]) == (0, "VALID", ("valid", "LOGGED"))
    assert {name for name, (state, _) in steps.items() if state == "not_checked"} == OFFLINE | {"ses"}
    people = (await place.run()).out
    assert people.startswith("VALID")
    assert all(f" {name}" in people for name in STEPS)


async def test_a_bad_document_is_invalid(place):
    """Exit 1: one byte changed, something added. Another document's receipt beside it accuses nobody: exit 2."""
    data = place.pdf.read_bytes()
    at = data.index(b"stream") + 40
    (place.folder / "flipped.pdf").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    (place.folder / "longer.pdf").write_bytes(data + b"\n%more")
    place.beside.write_text(place.other_receipt)
    flipped, longer, wrong = await asyncio.gather(
        place.told(file=place.folder / "flipped.pdf"), place.told(file=place.folder / "longer.pdf"), place.told()
    )
    assert [found[:2] for found in (flipped, longer)] == [(1, "INVALID")] * 2
    assert wrong[:2] == (2, "INDETERMINATE")
    assert wrong[2]["ledger"] == ("unknown", "RECEIPT_OF_ANOTHER")


async def test_what_is_not_known_is_indeterminate(place):
    """Exit 2: a root or log that nobody said to trust, witnesses that are demanded and did not cosign."""
    place.beside.write_text(place.receipt)
    (place.folder / "roots").mkdir()
    (place.folder / "roots" / "root.pem").write_bytes((place.folder / "trust" / "root.pem").read_bytes())
    demanding = place.folder / "demanding"
    demanding.mkdir()
    for name in ("root.pem", "log.vkey"):
        (demanding / name).write_bytes((place.folder / "trust" / name).read_bytes())
    who: Cosigner = cosigner(1)
    (demanding / "policy").write_text(f"log {LOG.verifier.vkey}\nwitness w1 {who.vkey}\nquorum w1\n")
    nothing, no_log, no_witness = await asyncio.gather(
        place.told(trust=""), place.told(trust="roots"), place.told(trust="demanding")
    )
    assert [found[:2] for found in (nothing, no_log, no_witness)] == [(2, "INDETERMINATE")] * 3
    assert nothing[2]["chain"][0] == no_log[2]["ledger"][0] == "unknown"
    assert no_witness[2]["ledger"] == ("unknown", "COSIGNATURES_PENDING")


async def test_a_receipt_is_advised_before_the_document_is_signed_anew(place):
    """Long after its certificate has ended a document without a receipt, or with a wrong one, is told to be verified with
    its own, which makes it VALID.
    """
    far_us = (time.time_ns() // 1000) + 20 * 366 * 86_400 * 1_000_000
    without = verify_command.verify_file(place.pdf, place.folder / "trust", now_us=far_us)
    assert without.step("time").reason == "TIME_NOT_PROVEN"
    assert verdict_words.explain(without).advice == verdict_sentences.RECEIPT_FIRST
    place.beside.write_text(place.receipt)
    assert verify_command.verify_file(place.pdf, place.folder / "trust", now_us=far_us).outcome is Outcome.VALID
    place.beside.write_text(place.other_receipt)
    other = verify_command.verify_file(place.pdf, place.folder / "trust", now_us=far_us)
    assert verdict_words.explain(other).advice == verdict_sentences.RECEIPT_FIRST


async def test_any_signer_is_never_valid(place):
    """Judged on all other steps, chain not_checked: INDETERMINATE at best, trusted or not; INVALID when it is bad."""
    place.beside.write_text(place.receipt)
    data = place.pdf.read_bytes()
    at = data.index(b"stream") + 40
    (place.folder / "bad.pdf").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    unknown, known, bad = await asyncio.gather(
        place.told("--trust-any-signer", trust=""),
        place.told("--trust-any-signer"),
        place.told("--trust-any-signer", file=place.folder / "bad.pdf"),
    )
    assert [found[:2] for found in (unknown, known, bad)] == [(2, "INDETERMINATE")] * 2 + [(1, "INVALID")]
    assert unknown[2]["chain"] == known[2]["chain"] == ("not_checked", "ANY_SIGNER")
    assert known[2]["integrity"][0] == "valid"


async def test_what_cannot_be_read_is_not_judged(place):
    """Exit 3: no file, a folder, no PDF, an empty file, a trust directory that is none or holds rubbish."""
    for name, content in (("text.pdf", b"hello"), ("empty.pdf", b"")):
        (place.folder / name).write_bytes(content)
    (place.folder / "rubbish").mkdir()
    (place.folder / "rubbish" / "root.pem").write_text("no certificate")
    ran = await asyncio.gather(
        *(place.run(file=place.folder / name) for name in ("absent.pdf", "trust", "text.pdf", "empty.pdf")),
        *(place.run(trust=name) for name in ("absent", "rubbish")),
    )
    assert [one.status for one in ran] == [3] * 6
    assert "VALID" not in "".join(one.out for one in ran)
    assert all(one.err or one.out for one in ran)
    assert json.loads((await place.run("--json", file=place.folder / "text.pdf")).out)["verdict"] != "VALID"


async def test_many_files_in_one_call(place):
    """One JSON line each, in their order, whatever became of the one before; the exit code is the highest."""
    place.beside.write_text(place.receipt)
    data = place.pdf.read_bytes()
    files = {name: place.folder / name for name in ("longer.pdf", "text.pdf", "absent.pdf", "hostile.pdf", "last.pdf")}
    files["longer.pdf"].write_bytes(data + b"\n%more")
    files["text.pdf"].write_bytes(b"hello")
    files["hostile.pdf"].write_bytes(flate_chain())
    files["last.pdf"].write_bytes(data)
    names = [str(place.pdf), *map(str, files.values()), str(place.folder)]
    ran = here("verify", *names, "--trust", str(place.folder / "trust"), "--json", "--data", str(place.folder / "no"))
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["file"] for line in lines] == names
    found = [line.get("verdict") for line in lines]
    assert [found[at] for at in (0, 1, 3, 5, 6)] == ["VALID", "INVALID", "INDETERMINATE", "VALID", "INDETERMINATE"]
    schema = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
    assert [list(schema.iter_errors(line)) for line in lines] == [[]] * len(lines)
    assert [lines[at]["form"] for at in (3, 6)] == ["unreadable"] * 2
    assert "VALID" not in {found[2], found[4]}
    assert (lines[2]["form"], ran.status) == ("unreadable", 3)
    assert [line["file"] for line in lines if "error" in line] == [names[3], names[6]]
    for part, status in (((0, 5), 0), ((0, 1, 5), 1), ((1, 3), 3)):
        chosen = [names[at] for at in part]
        assert here("verify", *chosen, "--trust", str(place.folder / "trust")).status == status


async def test_people_read_a_block_for_each_file(place):
    """Verdict and name of each; what is no document is said to be none, and is not called INVALID."""
    (place.folder / "text.pdf").write_bytes(b"hello")
    (place.folder / "bad.pdf").write_bytes(place.pdf.read_bytes()[:-200])
    names = [str(place.folder / name) for name in ("证明.pdf", "text.pdf", "bad.pdf")]
    ran = here("verify", *names, "--trust", str(place.folder / "trust"))
    good, text, bad = re.split(r"^(?=\S)", ran.out, flags=re.MULTILINE)[1:]
    assert good.startswith(f'VALID   "{names[0]}"')
    assert text.startswith(f'没有核验 / not judged   "{names[1]}"')
    assert "VALID" not in text
    assert "PDF" in text
    assert bad.startswith("IN")
    assert ran.status == 3


async def test_what_breaks_its_bounds_is_indeterminate(place, monkeypatch):
    """Exit 2 and LIMIT_REACHED, in words too; the file after it is judged."""
    monkeypatch.setattr(verify_command, "judged", lambda *_, **__: sum(iter(int, 1)))
    monkeypatch.setattr(verify_command, "_BOUNDS", confined.Bounds(1 << 28, 0.2))
    ran = here("verify", str(place.pdf), str(place.pdf), "--json")
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert [(each["verdict"], each["steps"][0]["reason"]) for each in found] == [("INDETERMINATE", "LIMIT_REACHED")] * 2
    assert ran.status == 2
    assert "LIMIT" not in here("verify", str(place.pdf)).out
    assert "上限" in here("verify", str(place.pdf)).out


async def test_the_command_itself_ends_with_these_codes(place):
    """As a process of its own: 0, 1, 2 and 3, the JSON on standard output and nothing beside it."""
    place.beside.write_text(place.receipt)
    (place.folder / "longer.pdf").write_bytes(place.pdf.read_bytes() + b"\n%more")
    ran = await asyncio.gather(
        command(*place.line("--json")),
        command(*place.line("--json", file=place.folder / "longer.pdf")),
        command(*place.line("--json", trust="")),
        command(*place.line("--json", file=place.folder / "absent.pdf")),
    )
    assert [one.status for one in ran] == [0, 1, 2, 3]
    assert [one.json["verdict"] for one in ran[:3]] == ["VALID", "INVALID", "INDETERMINATE"]
    assert [one.err for one in ran[:2]] == [""] * 2
    assert "没有任何信任根" in ran[2].err
    assert (ran[3].json["verdict"], ran[3].json["form"]) == ("INDETERMINATE", "unreadable")
    assert "absent.pdf" in ran[3].err


async def test_without_a_root_it_is_said_that_there_is_none(place):
    """No --trust, or a directory without any: the reader is told what to give, not to have the document signed anew."""
    (place.folder / "nothing").mkdir()
    ran = [await place.run(trust=""), await place.run(trust="nothing"), await place.run("--json", trust="")]
    assert [(one.status, "--trust" in one.err) for one in ran] == [(2, True)] * 3
    assert str(place.folder / "nothing") in ran[1].err
    assert "没有配置任何可信任的根证书" in ran[0].out
    assert "重新签章" not in ran[0].out
    steps = {step["step"]: step["reason"] for step in json.loads(ran[2].out)["steps"]}
    assert steps["chain"] == "NO_ROOTS"
    assert [(await place.run("--trust-any-signer", trust="")).err, (await place.run()).err] == ["", ""]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "缺少参数：FILE / "),
        (("a.pdf", "--colour"), "不认识的参数：--colour / "),
        (("a.pdf", "--trust"), "参数 --trust 后面要有一个值 / "),
        (("a.pdf", "--trust-any-signer=yes"), "参数 --trust-any-signer 不带值"),
        (("a.pdf", "--tr", "x"), "参数 --tr 不明确，可能是：--trust, --trust-any-signer / "),
        (("a.pdf", "b.pdf", "--report", "r.xml"), "--report 仅用于一个文件 / "),
        (("a.sdjwt", "--report", "r.xml"), "--report 仅用于一个文件 / "),
    ],
)
def test_wrong_use_is_64_and_said_in_chinese_first(arguments: tuple[str, ...], said: str) -> None:
    """Not 3: a script must not take its own mistake for a document that cannot be read."""
    ran = here("verify", *arguments)
    assert (ran.status, said in ran.err) == (64, True), ran.err


def test_wrong_use_shows_the_usage_of_the_command_itself() -> None:
    """Not that of the whole, which says nothing of what `verify` takes."""
    assert here("verify", "--colour", "a.pdf").err.startswith("usage: shuniu verify ")


def test_the_version_is_told() -> None:
    """Without a hub, and without a command."""
    ran = here("--version")
    assert (ran.status, ran.out.startswith("shuniu ")) == (0, True)


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.pem", "不是 PEM 格式的证书"), ("a.vkey", "公钥"), ("a.crl", "不是撤销列表"), ("policy", "不是见证策略")],
)
async def test_what_is_wrong_in_a_trust_directory_is_told_with_what_to_do(place, name, said):
    """In Chinese too, and in no library's words."""
    (place.folder / "trust" / name).write_bytes(b"junk\xff")
    ran = await place.run()
    assert (ran.status, ran.out) == (3, "")
    assert said in ran.err
    assert "从目录中移走" in ran.err
    assert "http" not in ran.err


def test_help_names_every_exit_code() -> None:
    """In both languages, 64 among them."""
    shown = here("verify", "--help").out
    for code, chinese, english in (
        (0, "有效", "VALID"),
        (3, "没有核验", "not judged"),
        (64, "命令用法有误", "wrong use"),
        (141, "输出没有读者", "nobody read the output"),
    ):
        assert f"{code} {chinese}" in shown
        assert f"{code} {english}" in shown


async def test_what_the_system_says_of_a_file_is_said_in_chinese_too(place):
    """No such file, a folder, and a trust directory that is none."""
    absent, folder, trust = await asyncio.gather(
        place.run("--json", file=place.folder / "absent.pdf"),
        place.run("--json", file=place.folder),
        place.run(trust="absent"),
    )
    assert json.loads(absent.out)["error"] == "没有这个文件 / No such file or directory"
    assert json.loads(folder.out)["error"].startswith("这是目录，不是文件；请给出其中的文件")
    assert "DIR/*.pdf" in folder.err
    assert "不是目录 / not a directory" in trust.err


async def test_who_stops_reading_is_not_told_that_the_document_is_unreadable(place):
    """`shuniu verify … | head -1`: silence, and not the status of a valid document."""
    reading, writing = os.pipe()
    os.close(reading)
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shuniu.cli.main", *place.line()), stdout=writing, stderr=asyncio.subprocess.PIPE
    )
    os.close(writing)
    _, told = await running.communicate()
    assert (running.returncode, told) == (141, b"")


def test_a_strangers_name_moves_no_cursor(tmp_path: Path) -> None:
    """Of a file or in it: no line that is printed can hold a terminal's command, and JSON spells it out."""
    evil = tmp_path / "a\x1b[2Jb\x9b1A\u202ec\nVALID   x.pdf"
    evil.write_bytes(b"hello")
    for ran in (here("verify", str(evil)), here("verify", str(evil), "--json"), here("verify", f"{evil}.gone")):
        printed = ran.out + ran.err
        assert not re.search("[\x1b\x9b\u202e]", printed)
        assert not re.search("^VALID", printed, re.MULTILINE)
    assert json.loads(here("verify", str(evil), "--json").out)["file"] == str(evil)


@pytest.mark.timeout(60)
def test_a_device_without_an_end_is_told_and_what_follows_is_judged(tmp_path):
    """Also behind a link; only its beginning is read."""
    endless, after = tmp_path / "endless.pdf", tmp_path / "after.pdf"
    endless.symlink_to("/dev/zero")
    after.write_bytes(b"no document")
    ran = here("verify", str(endless), str(after), "--json", "--data", str(tmp_path / "no-hub"))
    told = [json.loads(line) for line in ran.out.splitlines()]
    assert [Path(each["file"]).name for each in told] == ["endless.pdf", "after.pdf"]
    assert told[0]["verdict"] == "INDETERMINATE"


async def test_a_file_that_the_verifier_fails_on_is_named_and_the_others_are_judged(place, monkeypatch):
    """Whatever goes wrong with one file, in the worker or when its verdict is written, it gets a line with its name and
    nobody sees a traceback; the files after it are judged.
    """
    judge, tell = verify_command._judge, verify_command.told
    bad = [place.folder / name for name in ("a.pdf", "b.pdf", "c.sdjwt")]
    for path in bad:
        path.write_bytes(path.name.encode())

    def failing(files, *rest):
        if files.document == b"a.pdf":
            raise OverflowError("year 0 is out of range")
        return judge(files, *rest)

    def failing_to_tell(verdict):
        if verdict.step("parse").reason not in {"NOT_OPENED", "PARSED"}:
            raise ValueError("year 0 is out of range")
        return tell(verdict)

    monkeypatch.setattr(verify_command, "_judge", failing)
    monkeypatch.setattr(verify_command, "told", failing_to_tell)
    files = [str(path) for path in (*bad, place.pdf)]
    ran = here(
        "verify", *files, "--trust", str(place.folder / "trust"), "--data", str(place.folder / "no-hub"), "--json"
    )
    told = [json.loads(line) for line in ran.out.splitlines()]
    assert [found["file"] for found in told] == files
    assert all("year 0 is out of range" in found["error"] for found in told[:3])
    assert told[3]["verdict"] == "VALID"
    assert ran.status == 3
    assert "Traceback" not in ran.err


async def test_every_signature_has_a_line_of_its_own(place):
    """Of several signers each is named, with the time in Beijing and what it covers, not the last one alone."""
    two = await asyncio.to_thread(lambda: attack.foreign_sign(attack.foreign(), "Second"))
    (place.folder / "two.pdf").write_bytes(two)
    lines = (await place.run(file=place.folder / "two.pdf")).out.splitlines()
    signed = [line for line in lines if "签名 / signature" in line]
    assert [re.search(r"(\d/\d) (\w+): (.*?);", line).groups()[:2] for line in signed] == [
        ("1/2", "Sig1"),
        ("2/2", "Second"),
    ]
    assert all("自称 / claims: " in line and "北京时间" in line for line in signed)
    assert "另一签名（Second）" in lines[lines.index(signed[0]) + 1]
    assert "北京时间" in lines[0]
    good = [line for line in (await place.run()).out.splitlines() if "签名 / signature" in line]
    assert len(good) == 1
    assert ORGANISATION in good[0]
    assert "自称" not in good[0]


async def test_a_receipt_or_seal_data_given_as_the_file_is_called_what_it_is(place):
    """The command says what each is and which file to verify."""
    place.beside.write_text(place.receipt)
    beside = place.folder / "证明.pdf.ses"
    beside.write_bytes(sm_support.eseal())
    for file, called in ((place.beside, "存证回执"), (beside, "国密签章数据")):
        ran = await place.run(file=file)
        assert (ran.status, called in ran.out, "同名" in ran.out) == (3, True, True)
        assert "照片" not in ran.out


async def test_what_a_trust_directory_holds_in_vain_is_named(place):
    """A certificate under a name that is not read would be missed in silence."""
    (place.folder / "trust" / "ca.crt").write_bytes(b"whatever")
    ran = await place.run()
    assert ran.status == 0
    assert "没有使用：ca.crt" in ran.err


@pytest.mark.parametrize("size", [(20 << 20) + 1, 1 << 40])
async def test_a_huge_file_is_told_by_its_size(place, size):
    """It is not read to its end, so a sparse terabyte is answered at once; it has no digest, just beyond the limit too."""
    huge = place.folder / "huge.pdf"
    with huge.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(size)
    found = json.loads((await place.run("--json", file=huge)).out)
    assert (found["verdict"], found["steps"][0]["reason"]) == ("INDETERMINATE", "TOO_LARGE")
    assert "sha256" not in found
    assert "20 MiB" in found["steps"][0]["zh"]


async def test_a_large_photo_is_no_document_before_it_is_too_large(place):
    """Nobody is sent to the issuer for a smaller one, and nobody says that a PDF was looked at."""
    photo = place.folder / "photo.jpg"
    with photo.open("wb") as file:
        file.write(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00")
        file.truncate((20 << 20) + 1)
    ran = await place.run("--json", file=photo)
    found = json.loads(ran.out)
    assert (ran.status, found["form"], found["steps"][0]["reason"]) == (3, "unreadable", "NOT_A_PDF")
    assert "照片" in found["summary"]["cause"]["zh"]


async def test_not_judged_has_one_word_and_one_code(place):
    """Who reads 没有核验, there or in the first sentence, has the status 3; what was looked at without a result has 2."""
    data = place.pdf.read_bytes()
    files = {
        "cut.pdf": data[: len(data) // 2],
        "lines.pdf": data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
        "text.pdf": b"hello",
        "huge.pdf": b"%PDF-1.7\n" + bytes(20 << 20),
        "flipped.pdf": data[:-200],
    }
    for name, content in files.items():
        (place.folder / name).write_bytes(content)
        ran = await place.run(file=place.folder / name)
        said = "\n".join(ran.out.splitlines()[:2])
        assert ("没有核验" in said, "not judged" in said) == (ran.status == 3,) * 2, said


async def test_a_list_that_cannot_be_used_is_named_with_the_reason(place):
    """Expired before the signature, of another authority, or not in force yet: the step says which list and why; the
    verdict is what it is without the list.
    """
    hour = 3600 * 1_000_000
    at_us = time.time_ns() // 1000
    stranger = pki.make_seal_ca(pki.make_root("某地枢纽", at_us), "某地枢纽", at_us)
    for name, made, said in (
        ("old.crl", revocation.crl(place.ca, [], at_us - 100 * hour), "已过期"),
        ("strange.crl", revocation.crl(stranger, [], at_us), "其他机构"),
        ("future.crl", revocation.crl(place.ca, [], at_us + 100 * hour), "才生效"),
    ):
        given = place.folder / "trust" / name
        given.write_bytes(made)
        ran = await place.run("--json")
        step = next(step for step in ran.json["steps"] if step["step"] == "seal_then")
        assert (ran.status, ran.json["verdict"]) == (0, "VALID")
        assert (name in step["zh"], said in step["zh"], name in step["en"]) == (True, True, True), step
        given.unlink()
        # The only list there is does not vouch for anybody in the same breath.
        assert step["reason"] == "OFFLINE"
    usable = place.folder / "trust" / "now.crl"
    usable.write_bytes(revocation.crl(place.ca, [], at_us))
    step = next(step for step in (await place.run("--json")).json["steps"] if step["step"] == "seal_then")
    assert (step["reason"], "未能使用" in step["zh"]) == ("CERTIFICATE_GOOD", False)


async def test_a_list_that_has_expired_since_is_named_where_nothing_proves_the_time(place):
    """Made after the signature, it says nothing of a signature that may be younger; with the receipt it does."""
    given = place.folder / "trust" / "old.crl"
    made_us = time.time_ns() // 1000
    given.write_bytes(revocation.crl(place.ca, [], made_us))
    later_us = made_us + 20 * 86_400 * 1_000_000

    def told() -> Step:
        return verify_command.verify_file(place.pdf, place.folder / "trust", now_us=later_us).step("seal_then")

    assert (told().reason, "old.crl" in told().zh, "已过期" in told().zh) == ("OFFLINE", True, True)
    place.beside.write_text(place.receipt)
    assert "old.crl" not in told().zh


def test_a_strangers_name_is_no_verdict(tmp_path: Path) -> None:
    """Whatever a file is called, its name stands between quotation marks behind our words: no line begins with it."""
    for name in ("VALID   公安局证明.pdf", 'x.pdf"   截至 2026-01-01', "VALID   证明.sdjwt"):
        file = tmp_path / name
        file.write_bytes(b"hello")
        for ran in (here("verify", name), here("verify", str(file)), here("verify", f"{name}.gone")):
            printed = (ran.out + ran.err).splitlines()
            assert ran.status == 3
            assert not [line for line in printed if line.startswith(("VALID", "x.pdf"))]
    assert '\\"   截至' in here("verify", str(tmp_path / 'x.pdf"   截至 2026-01-01')).out
