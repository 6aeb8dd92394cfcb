"""Compares the time and the name that a seal's maker wrote with those of the signature."""

import unicodedata
from dataclasses import replace

from cryptography import x509
from cryptography.x509.oid import NameOID

from services.esign.domain.moments import DAY_US
from services.esign.domain.shown_names import shown
from services.esign.domain.verdict import Status, Step
from services.esign.ses.domain.values import SealInfo

# Clocks and time zones of makers and signers may differ by less.
_MADE_BEFORE_US = DAY_US
_NAMES = (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME)


def at(info: SealInfo, at_us: int | None) -> Step:
    """The step seal_validity of a seal at the moment (µs) that its signer states; None: he states none."""
    if at_us is None:
        return Step("seal_validity", Status.UNKNOWN, "TIME_MISSING", "没有可用的时间", "no time to judge at")
    if not info.valid_from_us <= at_us <= info.valid_to_us:
        return Step("seal_validity", Status.INVALID, "SEAL_EXPIRED", "不在印章有效期内", "outside the seal's validity")
    if at_us < info.created_us - _MADE_BEFORE_US:
        # One of the two clocks was wrong, or one of the two does not tell the truth.
        zh, en = "声明的签章时间早于印章的制作时间", "the stated time lies before the seal was made"
        return Step("seal_validity", Status.UNKNOWN, "TIME_CONTRADICTED", zh, en)
    return Step("seal_validity", Status.VALID, "SEAL_VALID", "在印章有效期内", "inside the seal's validity")


def ended(info: SealInfo, proven_us: int | None, now_us: int) -> Step | None:
    """The objection of the calendar to a signature by a seal whose time is over; None: none. When it signed, its holder
    alone says, unless the signature is proven (µs) to be older: as of a certificate that has ended.
    """
    if now_us <= info.valid_to_us or (proven_us is not None and proven_us <= info.valid_to_us):
        return None
    zh, en = "印章已过有效期，签章时间无佐证", "the seal has ended, and nothing proves when it signed"
    return Step("seal_validity", Status.UNKNOWN, "SEAL_ENDED", zh, en)


def named(step: Step, info: SealInfo, signer: x509.Certificate) -> Step:
    """The step `ses` of a seal inside a document, which tells both names where the seal is called otherwise than its
    signer: the maker vouches for the one, the authority for the other. Lawful seals are called by what they are for,
    and their certificates by a number or a higher office, so it speaks against nobody.
    """
    if step.status is not Status.VALID:
        return step
    seal = _plain(info.name)
    certified = {kind: [str(each.value) for each in signer.subject.get_attributes_for_oid(kind)] for kind in _NAMES}
    plain = [_plain(name) for names in certified.values() for name in names]
    if any(name and (name in seal or (seal and seal in name)) for name in plain):
        return step
    told = shown(next((name for names in certified.values() for name in names), signer.subject.rfc4514_string()))
    return replace(
        step,
        zh=f"{step.zh}（印章名称由制章者确认；签章证书上的名称是：{told}）",
        en=f"{step.en} (that is the maker's name for it; its signer is certified as {told})",
    )


def _plain(name: str) -> str:
    """Without what makers write in their own ways: width and case of letters, spaces and brackets."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())
