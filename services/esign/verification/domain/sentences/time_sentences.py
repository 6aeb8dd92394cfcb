"""Sentences for a clerk on the time of a signature. Data only; see `verdict_sentences`."""

from collections.abc import Mapping

from services.esign.domain.verdict import Sentence
from services.esign.verification.domain.sentences import verdict_sentences as say
from services.esign.verification.domain.sentences.verdict_sentences import Words, each, words

OF_STEP: Mapping[tuple[str, str], Words] = {
    # Of the signer's word alone; where others prove the moment it is wrong, and told by its reason.
    ("time", "OUTSIDE_VALIDITY"): words(
        say.TIME_OPEN,
        "签名自称的时间就不在证书有效期内，签名人的时钟可能有误。",
        "The signature states a time at which its certificate was not valid: the signer's clock may have been wrong.",
        Sentence(
            "请联系出具单位核实，并请其校准时钟后重新签发；存证回执或以后再核验，都不会改变结果。",
            "Ask the issuer to confirm it and to issue it anew by a right clock; no receipt and no later try "
            "changes this.",
        ),
    ),
    ("time", "CRITICAL_EXTENSION"): words(
        say.TIME_OPEN,
        "时间戳机构的证书含有本核验器不认识的内容。",
        "The timestamp authority's certificate holds what this reader does not know.",
        say.REISSUE,
    ),
    **dict.fromkeys(
        (("time", "WEAK_KEY"), ("time", "ALGORITHM")),
        words(
            say.TIME_OPEN,
            "时间戳使用的算法强度不足或不受支持。",
            "The timestamp uses an algorithm that is too weak or not known here.",
            say.REISSUE,
        ),
    ),
}
"""By step and reason, where the same reason means different things."""
OF_REASON: Mapping[str, Words] = {
    "TIME_NOT_PROVEN": words(
        say.TIME_OPEN,
        "签名证书已经过期，没有可信时间戳证明签名在此之前。",
        "The certificate has expired and no trusted timestamp proves that the signature is older.",
        say.REISSUE,
    ),
    "TIME_MISSING": words(say.TIME_OPEN, "签名没有载明时间。", "The signature states no time.", say.REISSUE),
    "TIME_WITHOUT_CHAIN": words(
        say.STRANGER,
        "证书的颁发机构没有得到确认，签名时间也就无法认定。",
        "As nobody trusted vouches for the certificate, the time of signing says nothing.",
        say.ASK_ISSUER,
    ),
    "OUTSIDE_VALIDITY": words(
        say.WRONG_TIME,
        "签名时证书不在有效期内。",
        "The certificate was not valid at the time of signing.",
        say.ORIGINAL,
    ),
    **each(
        "TIME_IN_FUTURE TIMESTAMP_IN_FUTURE",
        words(
            say.CLOCKS_DIFFER,
            "签名时间晚于核验所用计算机的时钟。",
            "The time of signing lies ahead of the clock of the computer that verifies.",
            say.CHECK_CLOCK,
        ),
    ),
    "TIME_AHEAD": words(
        say.TIME_OPEN,
        "载明的签名时间晚于时间戳，签名人的时钟可能偏快。",
        "The stated time lies after the timestamp: the signer's clock may have been fast.",
        say.ASK_ISSUER,
    ),
    "TIME_CONTRADICTED": words(
        say.WRONG_TIME,
        "载明的签名时间与存证日志矛盾。",
        "The stated time contradicts the ledger.",
        say.ORIGINAL,
    ),
    **each(
        "TIMESTAMP_OF_ANOTHER TIMESTAMP_SIGNATURE TSA_KEY_USAGE TSA_OUTSIDE_VALIDITY",
        words(
            say.WRONG_TIME,
            "文件所带的时间戳不成立（{what}）。",
            "The timestamp it carries does not hold ({what}).",
            say.ORIGINAL,
        ),
    ),
    "TIMESTAMP_WEAK": words(
        say.TIME_OPEN,
        "时间戳使用了已不安全的算法。",
        "The timestamp relies on an algorithm that no longer holds.",
        say.REISSUE,
    ),
    "STAMP_EXPIRED": words(
        say.TIME_OPEN,
        "文档时间戳已经失效，没有更新的时间证明。",
        "The document timestamp has ended, and no newer proof covers it.",
        say.REISSUE,
    ),
    "TSA_NOT_TRUSTED": words(
        say.TIME_OPEN,
        "时间戳由未列入信任名单的机构签发。",
        "The timestamp is of an authority that is not on the list of trust.",
        say.REISSUE,
    ),
    "TSA_ENDED": words(
        say.TIME_OPEN,
        "时间戳机构的证书已过期或撤销，没有更新的时间证明。",
        "The timestamp authority's certificate has ended, and no newer proof covers the timestamp.",
        say.REISSUE,
    ),
    **each(
        "TIMESTAMP_NOT_JUDGED TIMESTAMP_SYNTAX",
        words(
            say.TIME_OPEN,
            "文件所带的时间戳不是本核验器能读取的写法。",
            "The timestamp it carries is of a form that this reader does not know.",
            say.REISSUE,
        ),
    ),
}
"""By reason, for what has one meaning in every step."""
