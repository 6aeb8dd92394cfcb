"""XML whose names unfold to more than the file has: bounded before it is read, wherever a foreign file has XML."""

import subprocess
import sys

import pytest

from services.esign.domain import namespaces
from services.esign.domain.namespaces import NamespaceTooLongError
from services.esign.domain.ofd import markup
from services.esign.domain.ofd.errors import OfdError
from services.esign.revisions.domain import xmp

OFD = "http://www.ofdspec.org/2016"


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("between", ["", " ", "\n" * 600, "p" * 600])
@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_a_long_namespace_is_found_wherever_the_file_is_cut(quote: str, between: str, size: int) -> None:
    """Whatever stands around it, and in whatever pieces it comes; those in use pass."""
    space = "" if between.startswith("p") else between
    prefix = ":" + (between if between.startswith("p") else "p")
    head = "<r>" + "x" * 500
    for name, is_long in ((OFD, False), ("u" * 400, True)):
        text = f"{head}<a xmlns{prefix}{space}={space}{quote}{name}{quote}/></r>".encode()
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        if is_long or len(between) > 512:
            with pytest.raises(NamespaceTooLongError):
                list(namespaces.bounded(pieces))
        else:
            assert list(namespaces.bounded(pieces)) == pieces


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_metadata_in_any_encoding_are_bounded(encoding: str) -> None:
    """Metadata may be in UTF-16, with or without a mark of the order of bytes."""
    long, usual = (f'<r xmlns:p="{name}"/>'.encode(encoding) for name in ("\u2200" * 400, OFD))
    namespaces.check(usual)
    with pytest.raises(NamespaceTooLongError):
        namespaces.check(long)
    with pytest.raises(xmp.XmpError):
        xmp.properties(long)


HOSTILE = """
import resource, sys
from services.esign.domain.ofd import markup
from services.esign.domain.ofd.errors import OfdError
resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
names = " ".join(f'p:a{n:x}=""' for n in range(1000))
try:
    markup.parse(f'<Page xmlns="http://www.ofdspec.org/2016" xmlns:p="{"u" * 1_000_000}" {names}/>'.encode(), "x", "Page")
except OfdError as error:
    sys.exit(error.reason)
"""


def test_a_name_times_a_thousand_takes_no_memory() -> None:
    """One tag of a megabyte with a thousand attributes is refused within half a gigabyte."""
    done = subprocess.run([sys.executable, "-c", HOSTILE], capture_output=True, check=False, text=True)
    assert done.stderr.strip() == "LIMIT_REACHED"


def test_what_stands_before_the_root_is_bounded() -> None:
    """A comment, a tag or an instruction longer than is read ends the search for the root, after a few pieces."""
    for head in (b"<!--", b"<", b"<a x='", b"<?x "):
        pieces = iter([head, *[b"a" * (1 << 20)] * 20])
        with pytest.raises(OfdError) as refused:
            markup.root_of(pieces)
        assert refused.value.reason == "LIMIT_REACHED"
        assert len(list(pieces)) > 10


@pytest.mark.parametrize(
    ("text", "root"),
    [
        (f'<ofd:Signature xmlns:ofd="{OFD}"><broken', "Signature"),
        (f'<?xml version="1.0"?><!-- a --><Signature xmlns="{OFD}"/>', "Signature"),
        ('<Signature xmlns="http://www.ofdspec.org"/>', "Signature"),
        ("<Signature/>", ""),
        (f'<Signature xmlns:ofd="{OFD}"/>', ""),
        ('<ofd:Signature xmlns:ofd="http://other.example"/>', ""),
        ("%PDF-1.7", ""),
    ],
)
def test_the_root_of_a_file_is_that_of_ofd(text: str, root: str) -> None:
    """By its namespace, under whatever prefix and in whatever encoding; nothing of other files."""
    for encoding in ("utf-8", "utf-16"):
        assert markup.root_of([text.encode(encoding)]) == root
