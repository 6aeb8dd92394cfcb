"""OFD packages for tests: put together by Python's own `zipfile`, signed by the SM2 authority of `tests.support.sm`."""

import base64
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from services.esign.certification.domain.sm2_pki import UTF8_STRING, bit_string
from services.esign.certification.domain.trust import Trust
from services.esign.domain import der
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.digests import SHA256, SM3, Digest
from services.esign.domain.sm2 import OID_SM2_WITH_SM3
from services.esign.domain.verdict import Outcome, Verdict
from services.esign.ses.domain import values as ses
from services.esign.verification.domain.ofd.judge import judge_ofd
from tests.support import sm
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID
from tests.support.sm import sm_setting

Files = dict[str, bytes]
NAMESPACE = 'xmlns:ofd="http://www.ofdspec.org/2016"'
PAGE = "Doc_0/Pages/Page_0/Content.xml"
LIST = "Doc_0/Signs/Signatures.xml"
METHODS = {SM3: "1.2.156.10197.1.401", SHA256: "2.16.840.1.101.3.4.2.1"}
YEAR_US = 365 * 86_400 * 1_000_000


def unsigned() -> Files:
    """A document of one page."""
    return {
        "OFD.xml": (
            f'<ofd:OFD {NAMESPACE} Version="1.1" DocType="OFD"><ofd:DocBody><ofd:DocInfo><ofd:DocID>1</ofd:DocID>'
            f"</ofd:DocInfo><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot><ofd:Signatures>/{LIST}</ofd:Signatures>"
            f"</ofd:DocBody></ofd:OFD>"
        ).encode(),
        "Doc_0/Document.xml": document(),
        "Doc_0/PublicRes.xml": f'<ofd:Res {NAMESPACE} BaseLoc="Res"></ofd:Res>'.encode(),
        PAGE: page("未发现有犯罪记录"),
    }


def document(*more_pages: str) -> bytes:
    pages = "".join(f'<ofd:Page ID="{n}" BaseLoc="{where}"/>' for n, where in enumerate(more_pages, 100))
    return (
        f"<ofd:Document {NAMESPACE}><ofd:CommonData><ofd:MaxUnitID>9</ofd:MaxUnitID><ofd:PageArea><ofd:PhysicalBox>"
        f"0 0 210 297</ofd:PhysicalBox></ofd:PageArea></ofd:CommonData><ofd:Pages>"
        f'<ofd:Page ID="1" BaseLoc="Pages/Page_0/Content.xml"/>{pages}</ofd:Pages></ofd:Document>'
    ).encode()


def page(text: str) -> bytes:
    return (
        f'<ofd:Page {NAMESPACE}><ofd:Content><ofd:Layer ID="2"><ofd:TextObject ID="3" Boundary="20 20 100 10" Font="4" '
        f'Size="5"><ofd:TextCode X="0" Y="5">{text}</ofd:TextCode></ofd:TextObject></ofd:Layer></ofd:Content></ofd:Page>'
    ).encode()


def v4(xml: bytes, location: str, *, at_us: int = NOW_US, seal: bytes | None = None) -> bytes:
    """A seal signature of GB/T 38540."""
    return ses.sign(seal or sm.eseal(), sm_setting().seal, SM3.of(xml), location, at_us)


@cache
def v1_seal() -> bytes:
    """A seal of GM/T 0031: its maker signs information, certificate and algorithm together."""
    made = sm_setting()
    times = [der.tlv(0x17, text) for text in (b"260601040000Z", b"260601040000Z", b"270601040000Z")]
    content = der.tlv(
        der.SEQUENCE,
        der.tlv(der.SEQUENCE, _ia5("ES"), der.integer(1), _ia5("Other")),
        _ia5(SEAL_ID),
        der.tlv(
            der.SEQUENCE,
            der.integer(1),
            der.tlv(UTF8_STRING, ORGANISATION.encode()),
            der.tlv(der.SEQUENCE, der.tlv(der.OCTET_STRING, made.seal.certificate)),
            *times,
        ),
        der.tlv(der.SEQUENCE, _ia5("png"), der.tlv(der.OCTET_STRING, b"x"), der.integer(42), der.integer(42)),
    )
    maker = der.tlv(der.OCTET_STRING, made.maker.certificate)
    value = made.maker.sign(der.tlv(der.SEQUENCE, content, maker, OID_SM2_WITH_SM3))
    return der.tlv(der.SEQUENCE, content, der.tlv(der.SEQUENCE, maker, OID_SM2_WITH_SM3, bit_string(value)))


def v1(xml: bytes, location: str) -> bytes:
    """A seal signature of GM/T 0031, its time as a bare UTCTime."""
    made = sm_setting()
    content = der.tlv(
        der.SEQUENCE,
        der.integer(1),
        v1_seal(),
        bit_string(der.tlv(0x17, b"260601040000Z")),
        bit_string(SM3.of(xml)),
        _ia5(location),
        der.tlv(der.OCTET_STRING, made.seal.certificate),
        OID_SM2_WITH_SM3,
    )
    return der.tlv(der.SEQUENCE, content, bit_string(made.seal.sign(content)))


def gm_cms(xml: bytes, _location: str, lists: Sequence[bytes] = ()) -> bytes:
    """A signature of GM/T 0010 whose attributes hold the digest of Signature.xml. `lists`: CRLs (DER) that it
    carries.
    """
    told = der.tlv(
        der.SET,
        cms.attribute(cms.OID_CONTENT_TYPE, cms.OID_GM_DATA),
        cms.attribute(cms.OID_MESSAGE_DIGEST, der.tlv(der.OCTET_STRING, SM3.of(xml))),
    )
    return gm_value(told, attributes=b"\xa0" + told[1:], lists=lists)


def gm_value(message: bytes, *, attributes: bytes = b"", content: bytes = b"", lists: Sequence[bytes] = ()) -> bytes:
    """A structure of GM/T 0010 throughout, over a value that the seal's key made of `message`."""
    made, gm = sm_setting(), "1.2.156.10197.6.1.4.2"
    signer = der.tlv(
        der.SEQUENCE,
        der.integer(1),
        der.tlv(der.SEQUENCE, *cms.issuer_and_serial(made.seal.certificate)),
        SM3.identifier,
        attributes,
        der.tlv(der.SEQUENCE, der.oid("1.2.156.10197.1.301.1")),
        der.tlv(der.OCTET_STRING, made.seal.sign(message)),
    )
    data = der.tlv(
        der.SEQUENCE,
        der.integer(1),
        der.tlv(der.SET, SM3.identifier),
        der.tlv(
            der.SEQUENCE, der.oid(f"{gm}.1"), der.tlv(0xA0, der.tlv(der.OCTET_STRING, content)) if content else b""
        ),
        der.tlv(0xA0, made.seal.certificate),
        der.tlv(0xA1, *lists) if lists else b"",
        der.tlv(der.SET, signer),
    )
    return der.tlv(der.SEQUENCE, der.oid(f"{gm}.2"), der.tlv(0xA0, data))


def signed(
    files: Mapping[str, bytes] | None = None,
    *,
    protects: Callable[[str], bool] = lambda _name: True,
    value: Callable[[bytes, str], bytes] = v4,
    digest: Digest = SM3,
    stamp: str | None = None,
    seal_file: bytes = b"",
    method: str = "",
    closes: bool = False,
    stated: str = "20260601040000Z",
) -> Files:
    """With one more signature, over everything that is there except the list, unless `protects` says less; `closes`:
    over the list too, so that nobody may sign later. Without `stamp` each signer has his own place on the first page.
    """
    found = dict(unsigned() if files is None else files)
    number = sum(name.endswith("/Signature.xml") for name in found)
    folder = f"Doc_0/Signs/Sign_{number}"
    stamp = stamped(15 + 48 * (number % 4), 50 + 48 * (number // 4 % 5)) if stamp is None else stamp
    listed = "".join(
        f'<ofd:Signature ID="s{n}" Type="Seal" BaseLoc="/Doc_0/Signs/Sign_{n}/Signature.xml"/>'
        for n in range(number + 1)
    )
    found[LIST] = f"<ofd:Signatures {NAMESPACE}>{listed}</ofd:Signatures>".encode()
    references = "".join(
        f'<ofd:Reference FileRef="/{name}"><ofd:CheckValue>{base64.b64encode(digest.of(data)).decode()}'
        f"</ofd:CheckValue></ofd:Reference>"
        for name, data in found.items()
        if (name != LIST or closes) and protects(name)
    )
    seal = f"<ofd:Seal><ofd:BaseLoc>/{folder}/Seal.esl</ofd:BaseLoc></ofd:Seal>" if seal_file else ""
    xml = (
        f'<ofd:Signature {NAMESPACE}><ofd:SignedInfo><ofd:Provider ProviderName="t"/><ofd:SignatureMethod>'
        f"1.2.156.10197.1.501</ofd:SignatureMethod><ofd:SignatureDateTime>{stated}</ofd:SignatureDateTime>"
        f'<ofd:References CheckMethod="{method or METHODS[digest]}">{references}</ofd:References>{stamp}{seal}'
        f"</ofd:SignedInfo><ofd:SignedValue>/{folder}/SignedValue.dat</ofd:SignedValue></ofd:Signature>"
    ).encode()
    found[f"{folder}/Signature.xml"] = xml
    found[f"{folder}/SignedValue.dat"] = value(xml, f"/{folder}/Signature.xml")
    if seal_file:
        found[f"{folder}/Seal.esl"] = seal_file
    return found


def stamped(left: float, top: float, width: float = 42, height: float = 42, *, clip: str = "", page: int = 1) -> str:
    """The place of a seal, mm."""
    cut = f' Clip="{clip}"' if clip else ""
    return f'<ofd:StampAnnot ID="1" PageRef="{page}" Boundary="{left:g} {top:g} {width:g} {height:g}"{cut}/>'


def described(
    files: Mapping[str, bytes],
    written: Callable[[bytes], bytes],
    *,
    value: Callable[[bytes, str], bytes] = v4,
    **asked: Any,
) -> Files:
    """As `signed`, by a signer whose Signature.xml is what `written` makes of the usual one."""
    kept: Files = {}

    def over(xml: bytes, location: str) -> bytes:
        kept[location.lstrip("/")] = written(xml)
        return value(written(xml), location)

    return {**signed(files, value=over, **asked), **kept}


def packed(files: Mapping[str, bytes]) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 6, 1, 12, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return kept.getvalue()


def unpacked(data: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def judged(data: bytes | Mapping[str, bytes], **asked: Any) -> Verdict:
    """The verdict a second after signing, by the trust of `tests.support.sm`."""
    package = data if isinstance(data, bytes) else packed(data)
    defaults: dict[str, Any] = {"trust": Trust(), "sm_trust": sm.trust(), "now_us": NOW_US + 1_000_000}
    return judge_ofd(package, **{**defaults, **asked})


def reasons(verdict: Verdict) -> dict[str, str]:
    """Step → reason, of those that are not valid or not checked."""
    return {s.step: s.reason for s in verdict.steps if s.status.value in {"invalid", "unknown"}}


def refused(verdict: Verdict) -> bool:
    return verdict.outcome is not Outcome.VALID


def _ia5(text: str) -> bytes:
    return der.tlv(ses.IA5_STRING, text.encode("ascii"))
