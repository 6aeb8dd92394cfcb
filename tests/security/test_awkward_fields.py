"""Fields that a later signer brings in good faith, too large, off the page or written oddly: open, and not called wrong."""

import io
from typing import Any

import pytest
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.verdict import Outcome
from tests.security.test_looks_over_print import outcome
from tests.support import documents as attack
from tests.support.update_bases import built, rich

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def signed(pdf: bytes, name: str, certify: MDPPerm | None = None, **place: Any) -> bytes:
    """By pyHanko, in a field that it makes."""
    metadata = signers.PdfSignatureMetadata(
        field_name=name,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
        certify=certify is not None,
        docmdp_permissions=certify or MDPPerm.FILL_FORMS,
    )
    spec = fields.SigFieldSpec(name, on_page=0, **place) if place else None
    signer = signers.PdfSigner(metadata, signer=attack._foreign_signer(), new_field_spec=spec)
    out = io.BytesIO()
    signer.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf)), output=out, bytes_reserved=16384)
    return out.getvalue()


FIELDS = {
    "too large": {"box": (10, 10, 190, 110)},
    "off the page": {"box": (150, 20, 230, 60)},
    "with its widget apart": {"box": (120, 20, 180, 60), "combine_annotation": False},
}


@pytest.mark.parametrize("place", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("certify", [None, MDPPerm.FILL_FORMS])
def test_a_field_in_good_faith_is_not_called_a_forgery(certify: MDPPerm | None, place: dict[str, Any]) -> None:
    """Whether the first signer certified or approved: nobody can tell, so nobody is accused."""
    base = signed(built(rich()), "first", certify)
    assert outcome(signed(base, "second", **place)) in {Outcome.INDETERMINATE, Outcome.VALID}
