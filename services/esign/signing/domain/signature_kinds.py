"""Tells what a PDF signature's /Contents holds: decided by its bytes, since the names in /SubFilter are not
standardised for seals and not kept to by makers.
"""

from enum import StrEnum

from services.esign.domain import der
from services.esign.domain.cms import ber
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.cms.reader import OID_GM_SIGNED_DATA, SIGNED_DATA
from services.esign.timestamps.domain.token import OID_TST_INFO


class Kind(StrEnum):
    """CMS: SignedData of RFC 5652. GM_CMS: with the content types of GB/T 35275. SES: SES_Signature of GB/T 38540 or
    GM/T 0031. TIMESTAMP: a token of RFC 3161. RAW_RSA: a bare RSA value (adbe.x509.rsa_sha1).
    """

    CMS = "CMS"
    GM_CMS = "GM_CMS"
    SES = "SES"
    TIMESTAMP = "TIMESTAMP"
    RAW_RSA = "RAW_RSA"
    UNKNOWN = "UNKNOWN"


_RAW_RSA = "adbe.x509.rsa_sha1"


def kind_of(contents: bytes, subfilter: str = "") -> Kind:
    """The kind of what stands in /Contents, with its padding. `subfilter` decides only where the bytes do not."""
    try:
        node = der.parse_prefix(contents)
        return _kind(contents[: node.end])
    except (der.DerError, IndexError):
        pass
    try:
        return _kind(ber.first(contents)[0])
    except (der.DerError, IndexError):
        return Kind.RAW_RSA if subfilter == _RAW_RSA else Kind.UNKNOWN


def _kind(element: bytes) -> Kind:
    """Raises DerError, IndexError."""
    top = der.parse(element)
    if top.tag == der.OCTET_STRING:
        return Kind.RAW_RSA
    head = top.expect(der.SEQUENCE).children()[0]
    if head.tag == der.SEQUENCE:
        # A seal signature's toSign begins with its version; nothing else met here does.
        return Kind.SES if head.children()[0].tag == der.INTEGER else Kind.UNKNOWN
    if head.raw not in SIGNED_DATA:
        return Kind.UNKNOWN
    outer, content = cms_reader.content_type_of(element)
    if content == OID_TST_INFO:
        return Kind.TIMESTAMP
    return Kind.GM_CMS if outer == OID_GM_SIGNED_DATA or content == cms.OID_GM_DATA else Kind.CMS
