"""Says why a revocation list that the verifier gave says nothing of a certificate: for people; it decides nothing."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from cryptography import x509

from services.esign.certification.domain import chain
from services.esign.certification.domain.revocation_lists import covers, lists, tells_of
from services.esign.certification.domain.validation_data import is_in_force
from services.esign.domain.shown_names import shown
from services.esign.domain.unwarned import unwarned
from services.esign.domain.verdict import Sentence
from shuniu.china_time import CHINA

# More of them tell a reader no more.
_MOST_TOLD = 3


def told(
    certificate: x509.Certificate,
    issuer: x509.Certificate | None,
    given: Sequence[tuple[str, bytes]],
    then_us: int,
    now_us: int,
    *,
    is_proven: bool,
) -> Sentence | None:
    """`given`: lists (DER) by the names of their files. `then_us`: when the signature was made, as the verdict has it;
    `is_proven`: it was no later. None where one of them tells of the certificate, or there is none. A list of another
    authority is named only where there is none of the right one. `issuer` None: the certificate is trusted itself, and
    its issuer's is not at hand.
    """
    own: list[tuple[str, Sentence]] = []
    others: list[tuple[str, Sentence]] = []
    for name, data in given:
        try:
            with unwarned():
                found = x509.load_der_x509_crl(data)
                if issuer is None and found.issuer != certificate.issuer:
                    continue
                why = _why(certificate, issuer, found, then_us, now_us, is_proven=is_proven)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 — the library raises some ten types for what may be wrong in a list
            found, why = None, Sentence("读不了", "it cannot be read")
        if why is None:
            return None
        is_own = found is not None and found.issuer == certificate.issuer
        (own if is_own else others).append((name, why))
    named = (own or others)[:_MOST_TOLD]
    if not named:
        return None
    zh = "、".join(f"{shown(name)}（{why.zh}）" for name, why in named)
    en = ", ".join(f"{shown(name)} ({why.en})" for name, why in named)
    return Sentence(f"未能使用的撤销列表：{zh}", f"lists that could not be used: {en}")


def _why(
    certificate: x509.Certificate,
    issuer: x509.Certificate | None,
    found: x509.CertificateRevocationList,
    then_us: int,
    now_us: int,
    *,
    is_proven: bool,
) -> Sentence | None:
    if found.issuer != certificate.issuer:
        return Sentence("由其他机构发布", "of another authority")
    if issuer is None:
        return Sentence("缺少颁发机构的证书，无法核对", "its authority's certificate is not at hand")
    if not covers(certificate, found) and not tells_of(certificate, issuer, found, then_us):
        return Sentence("只涉及部分证书", "of a part of the certificates only")
    if not chain.profile_of(issuer).lists:
        return Sentence("颁发机构的证书不许其发布列表", "its authority may not publish lists")
    if not lists(issuer, found):
        return Sentence(
            "不是该机构签署的，或其算法不受支持", "not signed by that authority, or by an algorithm not known here"
        )
    if not chain.valid_at((issuer,), _us(found.last_update_utc)):
        return Sentence(
            "发布时颁发机构的证书不在有效期内", "its authority's certificate was not valid when it was made"
        )
    if not is_in_force(_us(found.last_update_utc), now_us):
        zh, en = _time(found.last_update_utc)
        return Sentence(f"{zh}才生效", f"not in force before {en}")
    if all(tells_of(certificate, issuer, found, at_us) for at_us in ({then_us} if is_proven else {then_us, now_us})):
        return None
    if found.next_update_utc is not None and _us(found.next_update_utc) < then_us:
        zh, en = _time(found.next_update_utc)
        return Sentence(f"{zh}已过期，早于签名时间", f"it expired at {en}, before the signature")
    if not is_proven and found.next_update_utc is not None and _us(found.next_update_utc) < now_us:
        zh, en = _time(found.next_update_utc)
        return Sentence(
            f"{zh}已过期，签名也没有证据表明早于此时",
            f"it expired at {en}, and nothing proves the signature to be older",
        )
    zh, en = _time(found.last_update_utc)
    return Sentence(f"{zh}发布，与签名时间不相及", f"of {en}, which does not reach the time of signing")


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def _time(moment: datetime) -> tuple[str, str]:
    local = moment.astimezone(CHINA)
    return f"北京时间 {local:%Y-%m-%d %H:%M} ", f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def named(crls: Sequence[bytes], names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Lists with the names of their files, as far as they have one."""
    for number, data in enumerate(crls):
        yield (names[number] if number < len(names) else f"#{number + 1}"), data
