"""Whether an object before a signature reaches into its gap, by the quick rule and by reading every object."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.esign.domain.pdf import gaps, signatures
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, PdfError
from tests.support import gapped
from tests.support.gapped import Layout, says

HEADER = re.compile(rb"(?<!\d)\d+[\x00\t\n\f\r ]+\d+[\x00\t\n\f\r ]+obj")
PLAIN = [
    b"<</A 1/B[1 2(x)]>>",
    b"<</A<616263>/B/Name>>",
    b"<</A(text)>>",
    b"null",
    b"[1 2 3]",
    b"(a \\( b)",
    b"% note\n<</A 1>>",
    b"<</Length 4>>\nstream\nabcd\nendstream",
    b"<</Length 20 0 R>>\nstream\nabcd\nendstream",
    b"<</Length 9>>\nstream\n(<% obj >\nendstream",
]
ODD = [
    *PLAIN,
    b"<</A(open>>",
    b"<</A<6162",
    b"<</A[1 2",
    b"<</A 1>> % hides",
    b"(( x )",
    b"<</A(% )>>",
    b"<</A<</B 1>>",
    b"<</Length @>>\nstream\nabcd\nendstream",
    b"<</Length @>>\nstream\nabcd",
    b"<</Length 21 0 R>>\nstream\nabcd\nendstream",
    b"<</Length 4/Length @>>\nstream\nabcd\nendstream",
    b"<</Length 40>>\nstream\n30 0 obj\n<</Length @>>\nstream\nendstream    \nendstream",
    b"<</A 1>>\nendobj\n31 0 obj\n<</Length @>>\nstream\nab\nendstream",
    b"<</A 1>>\nendobj\n32 0 obj\n(open",
    b"<</A(31 0 obj)>>",
    b"1 0 obj",
]


def document(bodies, after=b""):
    """The signed document with objects of these bodies before its signature."""
    made = Layout()
    made.usual()
    made.add(4, says(b"text"))
    made.add(6, gapped.FIELD % 7)
    made.add(20, b"4")
    made.add(21, b"90000")
    for at, body in enumerate(bodies):
        made.add(40 + at, body)
    made.data += after
    place = made.signature(7)
    made.finish(place)
    return Document(gapped.with_value(bytes(made.data), place, b"\x30\x00"))


def reaches(read, signature):
    """The same by reading whatever looks like an object before the gap, each from its number on."""
    data, gap = read.data, signature.gap[0]
    own = read.object(signature.number).start
    for header in HEADER.finditer(data, 0, gap):
        if header.start() == own:
            continue
        try:
            found = read.object_at(header.start())
        except PdfError:
            continue
        if found.end > gap:
            return True
        try:
            length = read.resolve(found.value.get("Length")) if isinstance(found.value, Dict) else None
        except PdfError:
            return True
        if found.stream is not None and type(length) is int and found.stream[0] + length > gap:
            return True
    return False


def with_lengths(choices):
    return st.builds(
        lambda body, length: body.replace(b"@", b"%d" % length),
        st.sampled_from(choices),
        st.one_of(st.integers(0, 60), st.integers(0, 9000), st.just(99999)),
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(with_lengths(ODD), max_size=4), st.sampled_from([b"", b" \n", b"% note\n", b"(", b"stream\n"]))
@example([b"<</Length 9000>>\nstream\nabcd\nendstream"], b"")
@example([b"<</A(open>>"], b"")
def test_the_quick_rule_says_what_reading_every_object_says(bodies, after):
    """Whatever stands before a signature: strings that go on, lengths that lie, objects inside of others."""
    read = document(bodies, after)
    (signature,) = signatures.find(read)
    assert gaps.is_shared(read, signature) is reaches(read, signature)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PLAIN), max_size=6))
def test_no_plain_object_reaches_into_a_gap(bodies):
    """Values, strings, comments, and streams of the length that they state."""
    read = document(bodies)
    (signature,) = signatures.find(read)
    assert not gaps.is_shared(read, signature)
    assert not gaps.is_elsewhere(read, [signature], 1)
    assert not gaps.is_a_file_without(read, signature)
