"""`esign.ofd` and `esign.verify_ofd`: OFD forms of different people's certificates, laid out, sealed with SM2 and packed,
against the PDF of the same data laid out and sealed; and their verdicts.
"""

import asyncio
from itertools import cycle
from typing import Any

from services.esign.certification.domain.trust import Trust
from services.esign.domain.digests import SM3
from services.esign.domain.verdict import Outcome
from services.esign.pages import layout
from services.esign.pages.domain import certificates
from services.esign.pages.domain.certificates import CertificateData
from services.esign.pages.domain.ofd.writer import PROTECTED
from services.esign.seals import pictures as seal_pictures
from services.esign.ses.domain import values as ses
from services.esign.signing.domain import pades
from services.esign.verification.domain.ofd.judge import judge_ofd
from tests.bench import esign
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID, certificate_data, setting
from tests.support.sm import sm_setting, trust

_PEOPLE = 50
_YEAR_US = 365 * 86_400 * 1_000_000


def _person(number: int) -> CertificateData:
    return certificate_data(name=f"王{chr(0x4E00 + 7 * number)}", number=f"NCR1526060{number:07d}")


def _seal() -> tuple[bytes, ses.Picture]:
    """A seal with a picture of the usual size."""
    made, picture = sm_setting(), seal_pictures.round_seal(ORGANISATION)
    content = ses.info(
        seal_id=SEAL_ID,
        kind=ses.ORGANISATION,
        name=ORGANISATION,
        certificates=[made.seal.certificate],
        valid_us=(NOW_US, NOW_US + _YEAR_US),
        created_us=NOW_US,
        picture=picture,
    )
    return ses.make_seal(content, made.maker), picture


def forms() -> list[dict[str, Any]]:
    (seal, picture), qr = _seal(), setting().qr_signer
    box = layout.seal_box(certificates.TEMPLATES[certificates.NO_CRIMINAL_RECORD], picture)
    people = [(data, qr.url(data)) for data in map(_person, range(_PEOPLE))]
    for lay_out in (layout.laid_out_here, layout.ofd_laid_out_here):
        assert lay_out(*[people[0][0], qr.host, people[0][1], NOW_US]) is not None
    next_ofd, next_pdf = cycle(people), cycle(people)

    def ofd() -> bytes:
        data, url = next(next_ofd)
        package = layout.filled_ofd(data, qr.host, url, NOW_US)
        assert package is not None
        xml = package.signature_xml(box, NOW_US)
        return package.sealed(xml, ses.sign(seal, sm_setting().seal, SM3.of(xml), PROTECTED, NOW_US))

    def pdf() -> bytes:
        data, url = next(next_pdf)
        page = layout.filled(data, qr.host, url, NOW_US)
        assert page is not None
        return pades.sign(page, setting().seal, NOW_US)

    documents = cycle([ofd() for _ in range(_PEOPLE)])

    def verdict() -> None:
        found = judge_ofd(next(documents), trust=Trust(), sm_trust=trust(), now_us=NOW_US + 1_000_000)
        assert found.outcome is Outcome.VALID

    ours, theirs, judged = esign.rounds(((ofd, 2 * _PEOPLE), (pdf, 2 * _PEOPLE), (verdict, 2 * _PEOPLE)))
    return [
        esign.row("esign.ofd", ours, "documents/s/core", theirs),
        esign.row("esign.verify_ofd", judged, "documents/s/core"),
    ]


async def run() -> list[dict[str, Any]]:
    return forms()


if __name__ == "__main__":
    print(asyncio.run(run()))
