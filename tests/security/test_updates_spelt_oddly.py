"""Values of an update that readers of different makes read as different values: never VALID."""

import re
import subprocess
import sys
import zlib

import pytest

from services.esign.domain.pdf.spelling import is_plain
from services.esign.domain.pdf.syntax import Ref
from services.esign.domain.verdict import Outcome
from services.esign.signing.domain import pades
from tests.support import documents as attack
from tests.support.esign import NOW_US, setting
from tests.support.update_bases import INFO, PAGE, base, built, rich
from tests.support.update_checks import passes_first_line
from tests.support.updates import Draft, copied, stream, text
from tests.support.verdicts import TRUST, judged

_TITLE = rb"(?<=/Title) ?[(<].*?[)>]"


def outcome(pdf):
    return judged(pdf, trust=TRUST, now_us=attack.now_us()).outcome


def refused(pdf):
    assert not passes_first_line(pdf)
    assert outcome(pdf) is not Outcome.VALID


def rewritten(number, pattern, spelling, pdf=None):
    """An update that writes an object again, one part of it spelt otherwise, and brings validation data."""
    draft = Draft(base("certified, P=1") if pdf is None else pdf)
    draft.store(b"certificate")
    value = draft.document.value(number)
    found, count = re.subn(pattern, lambda _: spelling, draft.body(number, value), count=1, flags=re.DOTALL)
    assert count == 1
    draft.bodies[number] = found
    return draft.finished()


@pytest.mark.parametrize(
    ("number", "pattern", "plain", "odd"),
    [
        (PAGE, rb"/Contents 4 0 R", b"/Contents  4 0 R", b"/Contents\0 4 0 R"),
        (PAGE, rb"/Contents 4 0 R", b"/Contents\n4 0 R", b"/Contents 4\0 0 R"),
        (PAGE, rb"/Contents 4 0 R", b"/Contents 4 0 R ", b"/Contents 4                0 R"),
        (PAGE, rb"/Contents 4 0 R", b"/#43ontents 4 0 R", b"/Contents%\n4 0 R"),
        (INFO, _TITLE, b"(No\\040record)", b"(No\\40record)"),
        (INFO, _TITLE, b"(\\116o record)", b"(\\516o record)"),
        (INFO, _TITLE, b"<4e6f207265636f7264>", b"<4e6f20\x007265636f7264>"),
        (INFO, _TITLE, b"(No \\\nrecord)", b"(No r\\ecord)"),
    ],
)
def test_a_value_is_written_as_every_reader_reads_it(number, pattern, plain, odd):
    """The same value otherwise spelt: plainly is accepted, at the edges of the syntax is not."""
    assert outcome(rewritten(number, pattern, plain)) is Outcome.VALID
    refused(rewritten(number, pattern, odd))


def test_a_line_end_in_a_string_is_escaped():
    """A bare carriage return is a line feed to some: U+4E0D (not) would become U+4E0A (up)."""
    title = "不合格".encode("utf-16")[:2][::-1] + "不合格".encode("utf-16-be")
    objects = rich() | {INFO: b"<</Title<%b>/Producer(maker)>>" % title.hex().encode()}
    pdf = attack.foreign_sign(built(objects))
    assert outcome(rewritten(INFO, rb"/Title.*?/", b"/Title(%b)/" % title.replace(b"\r", b"\\r"), pdf)) is Outcome.VALID
    refused(rewritten(INFO, rb"/Title.*?/", b"/Title(%b)/" % title, pdf))


@pytest.mark.parametrize("ending", [b")\r/x 1>>>>/Pages 6 0 R/Z<</Z<</Z(c)c)", b"\\)\r/x 1)", b")\n/x 1)", b"\\)\n/x)"])
def test_a_string_ends_where_its_parenthesis_does(ending):
    """Some readers end it at a parenthesis before a line end, and go on with keys of the catalog."""
    draft = Draft(base("certified, P=1"))
    draft.store(b"certificate")
    root = text(draft.root())
    number = draft.document.trailer["Root"][0]
    draft.bodies[number] = root[:-2] + b"/Extensions<</ADBE<</BaseVersion(a(b%b/ExtensionLevel 1>>>>>>" % ending
    refused(draft.finished())


def test_what_was_spelt_oddly_already_is_not_rewritten():
    """Readers would show one value before the update and another one after it."""
    for spelling, accepted in ((b"(No \\40record)", False), (b"(No \\040record)", True)):
        objects = rich() | {INFO: b"<</Title%b/Producer(maker)>>" % spelling}
        pdf = rewritten(INFO, rb"(?<=/Producer) ?<.*?>", b"(other)", pades.sign(built(objects), setting().seal, NOW_US))
        assert passes_first_line(pdf) is accepted


def edited_table(old, new):
    """An update whose table is written otherwise."""
    draft = Draft(base("certified, P=1"))
    draft.store(b"certificate")
    pdf = draft.finished()
    at = pdf.index(b"xref\n", len(draft.base))
    return pdf[:at] + re.sub(old, new, pdf[at:], count=1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (rb"xref\n", b"xref"),
        (rb"xref\n", b"xref\0"),
        (rb"xref\n", b"xref\n\n"),
        (rb"n \n(\d+ 1\n)", rb"n \n\n\1"),
        (rb"\n(\d+ 1)\n", rb"\n\1  \n"),
        (rb"xref\n", b"xref\n0 1\n9999999999 65535 f \n"),
    ],
)
def test_a_table_is_written_as_tables_are(old, new):
    """Over a head that is spaced otherwise some readers give up and rebuild the file."""
    refused(edited_table(old, new))


def test_a_free_row_of_a_stream_has_a_number():
    """Offsets beyond all files make some readers rebuild it."""
    draft = Draft(base("certified, P=1, object streams"), form="stream")
    draft.store(b"certificate")
    pdf = draft.finished()
    at = pdf.rindex(b"/W[1 4 2]")
    begins = pdf.index(b"stream\n", at) + 7
    length = int(re.search(rb"/Length (\d+)", pdf[at:])[1])
    rows = [pdf[begins + n : begins + n + 7] for n in range(0, length, 7)]
    for far, accepted in ((2**63, False), (0, True)):
        wide = bytes(1) + far.to_bytes(8, "big") + b"\xff\xff"
        wide += b"".join(row[:1] + bytes(4) + row[1:] for row in rows)
        head = pdf[:begins].replace(b"/W[1 4 2]/Index[", b"/W[1 8 2]/Index[0 1 ")
        head = head[:at] + re.sub(rb"/Length \d+", b"/Length %d" % len(wide), head[at:])
        changed = head + wide + pdf[begins + length :]
        assert passes_first_line(changed) is accepted


@pytest.mark.parametrize("data", [b"\nendstream <</Root<</Type/Catalog>>>> ", b"stream", b"a\nendstream\nb"])
def test_data_hold_no_end_of_a_stream(data):
    """A reader that does not know a stream's length looks for its end in the data, and reads on behind that."""
    draft = Draft(base("certified, P=1"))
    draft.store(data)
    refused(draft.finished())


@pytest.mark.parametrize("data", [b"BT /F 30 Tf (FORGED) Tj ET", b""])
def test_packed_validation_data_are_validation_data(data):
    """Whatever way they are packed: nobody could draw a page with them."""
    draft = Draft(base("certified, P=1"))
    number = draft.store(b"certificate")[0]
    plain = re.search(rb"stream\n(.*)\nendstream", draft.bodies[number], re.DOTALL)[1]
    draft.bodies[number] = stream(zlib.compress(plain), b"/Filter/FlateDecode")
    assert outcome(draft.finished()) is Outcome.VALID
    draft.bodies[number] = stream(zlib.compress(data), b"/Filter/FlateDecode")
    refused(draft.finished())


def test_the_catalog_does_not_move_into_an_object_stream():
    """A reader that rebuilds the file looks for catalogs before it unpacks anything."""
    draft = Draft(base("certified, P=1"), form="stream")
    draft.store(b"certificate")
    root = copied(draft.root())
    number = draft.reserve()
    draft.packed[number] = text(root)
    draft.trailer["Root"] = b"%d 0 R" % number
    draft.put(draft.document.trailer["Root"][0], root)
    refused(draft.finished())


@pytest.mark.parametrize(
    "piece", [b"(", b"(a(", b"(\\(", b"((a)", b"/a", b"/#41", b"<4", b"1.", b"[ ", b"(\\\n", b"\\\r\n", b"(a\\\r"]
)
def test_the_spelling_is_looked_at_once(piece):
    """A megabyte of values that begin and do not end is judged in seconds."""
    code = (
        "from services.esign.domain.pdf.spelling import is_plain\n"
        f"assert not is_plain(b'(' + {piece!r} * (1_000_000 // {len(piece)}) + b'\\r)')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_what_makers_write_is_plain():
    """Values of all kinds as they stand in documents."""
    assert is_plain(
        b"<</Type/Font/Name/ /A[-1 .5 -.5 5. 0010 true null<FEFF>(a(b)c)(\\(\\)\\n\\015)]/B 1 0 R/C#20D(\xfe\xff\0A\n)>>"
    )


def test_a_verdict_does_not_depend_on_the_process():
    """Two changes of different weight: each process of a hub meets the same one first."""
    draft = Draft(base("form, P=2"))
    draft.edit(20)["V"] = b"900"
    draft.root()["Metadata"] = Ref((draft.add(stream(b"<a/>", b"/Type/Metadata/Subtype/XML")), 0))
    draft.root()["Lang"] = b"en"
    draft.page()["Rotate"] = 90
    code = (
        "import sys\nfrom services.esign.verification.domain import verify\n"
        "found = verify.judge(sys.stdin.buffer.read(), trust=verify.Trust(()), now_us=1)\n"
        "print([(s.step, s.status.name, s.reason, s.en) for s in found.steps])"
    )
    pdf = draft.finished()
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=pdf,
            capture_output=True,
            check=True,
            timeout=60,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in "12345"
    }
    assert len(said) == 1


@pytest.mark.parametrize("number", [b"0" * 18 + b"595", b"595." + b"0" * 40, b"+595", b"5.95e2"])
def test_a_number_has_as_many_digits_as_it_needs(number):
    """Some readers add up the digits of any length as they come, and end at infinity."""
    assert outcome(rewritten(PAGE, rb"/Type ?/Page", b"/Type/Page", None)) is Outcome.VALID
    assert is_plain(b"[0 0 595.2756 .5]")
    assert not is_plain(b"[0 0 %b]" % number)


@pytest.mark.parametrize(
    ("parameters", "accepted"),
    [
        (b"", True),
        (b"<</Predictor 12>>", False),
        (b"<</Predictor 1/Columns -7/Colors 77>>", False),
        (b"<</Predictor 1>>", False),
        (b"<</Predictor 12/Columns 300000>>", False),
    ],
)
def test_an_object_stream_is_packed_as_every_reader_unpacks_it(parameters, accepted):
    """Parameters of a prediction that is none, or without a width, stop some."""
    draft = Draft(base("certified, P=1"), form="stream")
    draft.store(b"certificate")
    draft.packed[PAGE] = text(draft.document.value(PAGE))
    draft.container = b"/DecodeParms" + parameters if parameters else b""
    assert passes_first_line(draft.finished()) is accepted
