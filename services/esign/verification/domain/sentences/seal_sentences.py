"""Sentences for clerks about a GB/T 38540 seal in a document or beside it. Data only; see `verdict_sentences`."""

from collections.abc import Mapping

from services.esign.verification.domain.sentences import verdict_sentences as say
from services.esign.verification.domain.sentences.verdict_sentences import Words, each, words

OF_STEP: Mapping[tuple[str, str], Words] = {
    ("ses", "SES_SIGNATURE"): words(
        say.FALSE_SEAL,
        "国密签章的签名值与签章者的证书不符。",
        "The seal signature's value does not fit the certificate of who sealed.",
        say.ORIGINAL,
    ),
}
"""By step and reason, where the same reason means different things."""
OF_REASON: Mapping[str, Words] = {
    "MAKER_UNKNOWN": words(
        say.SEAL_OPEN,
        "印章的制作单位不在认可名单中。",
        "The maker of the seal is not one of those trusted here.",
        say.ASK_ISSUER,
    ),
    "SES_NOT_JUDGED": words(
        say.SEAL_OPEN,
        "文件里有国密印章，但这里没有可信的制章单位名单。",
        "It holds a GB/T 38540 seal, and there is no list of trusted seal makers here.",
        say.ASK_ISSUER,
    ),
    "DIGEST_UNKNOWN": words(
        say.SEAL_OPEN,
        "印章采用了本核验器不认识的算法。",
        "The seal uses a digest that this reader does not know.",
        say.ASK_ISSUER,
    ),
    **each(
        "SIGNER_NOT_LISTED PROTECTED_PARTS SEAL_MALFORMED",
        words(
            say.FALSE_SEAL,
            "{what}。",
            "{what}.",
            say.ORIGINAL,
        ),
    ),
    "SES_OF_ANOTHER": words(
        say.SEAL_FILE_UNFIT,
        "所附的国密签章文件（.ses）是另一份{it}的。",
        "The seal file (.ses) given with it is of another {it}.",
        say.SEAL_DATA,
    ),
    "SES_UNREADABLE": words(
        say.SEAL_FILE_UNFIT,
        "所附的国密签章文件（.ses）读不了：可能没有下载完整，也可能不是签章文件。",
        "The seal file (.ses) given with it cannot be read: it may not have come completely, or is no seal file.",
        say.SEAL_DATA,
    ),
    "SES_NO_SIGNATURE": words(
        say.SEAL_FILE_UNFIT,
        "所附的文件（.ses）是一枚印章，不是对这份{it}的签章。",
        "The file (.ses) given with it is a seal, not a seal signature over this {it}.",
        say.SEAL_DATA,
    ),
    **each(
        "SES_SYNTAX SES_INCOMPLETE SES_WITHOUT_DOCUMENT SES_OTHER_ORGANISATION NO_DOCUMENT",
        words(
            say.SEAL_OPEN,
            "国密签章数据没有得到确认（{what}）。",
            "The seal data were not confirmed ({what}).",
            say.SEAL_DATA,
        ),
    ),
}
"""By reason, for what has one meaning in every step."""
