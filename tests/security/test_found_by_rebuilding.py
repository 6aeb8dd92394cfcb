"""What a reader finds that rebuilds a signed file, or the signed bytes alone, is what was signed, or nothing."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support import gapped
from tests.support.gapped import Layout, says
from tests.support.updates import stream
from tests.support.verdicts import TRUST, judged

ROOM = 16_000
OTHER = says(b"PAY 9,000,000 NOW")


def said(pdf):
    """The outcome, and what the step coverage said."""
    verdict = judged(pdf, trust=TRUST, now_us=attack.now_us())
    return verdict.outcome, next(step.reason for step in verdict.steps if step.step == "coverage")


VALID = (Outcome.VALID, "WHOLE_FILE")
ELSEWHERE = (Outcome.INDETERMINATE, "GAP_ELSEWHERE")
SHARED = (Outcome.INDETERMINATE, "GAP_SHARED")


def alone(before, section="table"):
    """A document whose own startxref leads to another section once the gap is taken out; `before`: the bytes between
    that place and the section.
    """
    made = Layout()
    made.usual()
    made.add(4, OTHER, "other")
    made.add(6, gapped.FIELD % 7)
    made.add(4, says(b"The debt is paid"))
    place = made.signature(7)
    start = len(made.data) + ROOM + 2
    made.table({number: at for number, at in made.at.items() if isinstance(number, int)})
    made.until(start)
    made.data += before
    rows = {**{number: made.at[number] for number in (1, 2, 3, 5)}, 4: made.at["other"]}
    if section == "table":
        made.table(rows)
    if section == "stream":
        rows[9] = len(made.data)
        content = b"".join(b"\1%b\0" % rows[number].to_bytes(4, "big") for number in sorted(rows))
        made.add(9, stream(content, b"/Type/XRef/W[1 4 1]/Index[1 5 9 1]/Size 10/Root 1 0 R"), "section")
    made.end(start)
    made.fill(place, ROOM + 2)
    return made.signed(place, ROOM)


SPACES = {
    "nothing": b"",
    "few": b" " * 64,
    "more": b" " * 65,
    "lines": b"\n" * 3000,
    "comment": b"%\n",
    "comments": b" " * 70 + b"% a\r\n" * 5,
    "odd": b"\0\f\t% \xff\n",
}


@pytest.mark.parametrize("before", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("section", ["table", "stream"])
def test_the_signed_bytes_alone_begin_nowhere(before, section):
    """Readers look for a section behind any space, and pass over comments before it."""
    assert said(alone(before, section)) == ELSEWHERE


@pytest.mark.parametrize("before", SPACES.values(), ids=SPACES)
def test_space_without_a_section_is_no_beginning(before):
    """A file whose startxref leads nowhere is rebuilt, to what it holds; so is one in which other words come first."""
    assert said(alone(before, "none")) == VALID
    assert said(alone(before + b"x ", "stream")) == VALID


def with_more(more, *, where):
    """A document into whose signed bytes something was put that no section leads to."""
    made = Layout()
    if where == "first":
        made.data += more
    made.usual()
    made.add(4, says(b"The debt is paid"))
    if where == "before the gap":
        made.data += more
    made.add(6, gapped.FIELD % 7)
    place = made.signature(7)
    if where == "behind the gap":
        made.data += more
    made.finish(place)
    return said(made.signed(place))


BEHIND = ["before the gap", "behind the gap"]


def written(number, body=OTHER):
    return b"%d 0 obj\n%b\nendobj\n" % (number, body)


@pytest.mark.parametrize("where", BEHIND)
@pytest.mark.parametrize(
    "more",
    [
        written(4),
        b"% " + written(4),
        written(2, gapped.PAGES.replace(b"200]", b"300]")),
        b"40 0 obj(\n" + written(4, b"7") + b")endobj\n",
        b"04 00 obj 7 endobj\n",
    ],
    ids=["content", "comment", "tree", "string", "spelling"],
)
def test_no_later_object_of_a_number_stands_in_the_file(more, where):
    """Readers that rebuild a file take the last one of each number, inside comments and strings, too."""
    assert with_more(more, where=where) == SHARED


@pytest.mark.parametrize("where", BEHIND)
@pytest.mark.parametrize("more", [b"", written(40), b"% words of an object\n", b"% 4 0\n"])
def test_what_nobody_takes_for_another_is_left_alone(more, where):
    """An object of a number that nothing leads to, and a comment."""
    assert with_more(more, where=where) == VALID


def test_an_earlier_object_is_replaced_by_the_later_one():
    """As an update does; whoever rebuilds the file takes the one that the sections lead to."""
    assert with_more(written(4), where="first") == VALID


@pytest.mark.parametrize("where", ["first", *BEHIND])
@pytest.mark.parametrize("space", [b"\n", b" ", b"%\n"])
def test_every_trailer_is_that_of_a_section(where, space):
    """A rebuilding reader takes the last or the first that it finds."""
    assert with_more(b"trailer" + space + b"<</Size 9/Root 8 0 R>>\n", where=where) == SHARED
    assert with_more(b"% Trailer" + space + b"\n", where=where) == VALID
