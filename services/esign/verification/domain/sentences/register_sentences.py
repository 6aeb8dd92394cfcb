"""Sentences for a clerk on what the register and the ledger say. Data only; see `verdict_sentences`."""

from collections.abc import Mapping

from services.esign.domain.verdict import Sentence
from services.esign.verification.domain.sentences import verdict_sentences as say
from services.esign.verification.domain.sentences.verdict_sentences import Words, each, words

_STANDING: Mapping[str, Words] = {
    "CERTIFICATE_REVOKED": words(
        say.BAD_SEAL,
        "签名证书已被颁发机构撤销，自签章之前起无效。",
        "The authority revoked the certificate with effect from before the {it} was signed.",
        say.NEW_ONE,
    ),
    "CERTIFICATE_REVOKED_SINCE": words(
        say.TIME_OPEN,
        "签名证书已被撤销，没有证据表明签名在撤销之前。",
        "The certificate is revoked and nothing proves that the signature is older.",
        say.REISSUE,
    ),
    "CERTIFICATE_UNCLEAR": words(
        say.TIME_OPEN,
        "颁发机构的撤销记录提到这张证书，但其内容未能解读，证书可能已被撤销。",
        "A record of the authority names the certificate and cannot be read; the certificate may be revoked.",
        say.REISSUE,
    ),
    "VALIDATION_DATA_TOO_LARGE": words(
        say.TIME_OPEN,
        "文件所附的验证数据过多，未能全部读取，其中可能有证书已被撤销的记录。",
        "It brings more validation data than are read, and some of them may say that a certificate was revoked.",
        say.REISSUE,
    ),
    "MAKER_REVOKED": words(
        say.BAD_SEAL,
        "印章制作之前，制章单位的证书已被撤销。",
        "The certificate of the seal's maker was revoked before the seal was made.",
        say.ORIGINAL,
    ),
    "MAKER_REVOKED_SINCE": words(
        say.SEAL_OPEN,
        "制章单位的证书已被撤销，没有证据表明印章在撤销之前制成。",
        "The maker's certificate is revoked, and nothing proves that the seal is older.",
        say.REISSUE,
    ),
    "MAKER_ENDED": words(
        say.SEAL_OPEN,
        "制章单位的证书已经过期，没有证据表明印章在此之前制成。",
        "The maker's certificate has ended, and nothing proves that the seal is older.",
        say.REISSUE,
    ),
    "SEAL_ENDED": words(
        say.SEAL_OPEN,
        "印章已过有效期，没有证据表明文件在此之前签章。",
        "The seal has ended, and nothing proves that the document was sealed before.",
        say.REISSUE,
    ),
    "SEAL_EXPIRED": words(
        say.BAD_SEAL, "不在印章的有效期内。", "It was sealed outside the seal's period of validity.", say.ORIGINAL
    ),
    "SEAL_UNKNOWN": words(
        say.OF_ANOTHER_HUB,
        "登记中没有这份文件所用的印章，无法查询它是否仍然有效。",
        "The register does not have the seal that signed it, and cannot tell whether it still counts.",
        Sentence(
            "请通过出具单位或其所在枢纽核实这份文件现在是否有效。",
            "Ask the issuer, or the hub it belongs to, whether the document is in force.",
        ),
    ),
    "SEAL_NOT_ASKED": words(
        say.NOT_THE_ORIGINAL,
        "登记中没有与它完全相同的文件：可能被另存或重新打包过，也可能并未在此登记。",
        "Nothing registered is the same byte for byte: it may have been saved or packed anew, or was never registered.",
        Sentence(
            "请持有人提供出具单位发来的、未经另存的原文件重新核验，或联系出具单位核实。",
            "Have the holder bring the file as the issuer sent it, never saved again, or ask the issuer to confirm it.",
        ),
    ),
    "DOCUMENT_REVOKED": words(
        say.WITHDRAWN,
        "登记显示，出具单位在签发之后把它撤销了。",
        "The register says that its issuer took it back after it was issued.",
        say.NEW_ONE,
    ),
    "DOCUMENT_UNKNOWN": words(
        say.NOT_REGISTERED,
        "本枢纽的登记中没有这份{it}：不是本枢纽签发的原件，或者内容已经不同。",
        "The register does not hold it: it was not issued here, or it is not the same any more.",
        say.ASK_ISSUER,
    ),
    "NO_MATCH": words(
        say.NOT_REGISTERED,
        "没有与所填编号和签发日期都相符的证明。",
        "No certificate has this number together with this date of issue.",
        Sentence(
            "请对照证明重新填写编号和签发日期；仍查不到时不要接受，请向出具单位核实。",
            "Compare number and date with the paper and try again; if it is not found, ask the issuer.",
        ),
    ),
    "OFFLINE": words(
        say.NOT_REGISTERED, "没有联网，未查询登记。", "Without a network the register was not asked.", say.ASK_ISSUER
    ),
}
_LEDGER: Mapping[str, Words] = {
    "LOG_PENDING": words(
        say.LEDGER_OPEN, "刚刚签发，存证还没有完成。", "It was issued just now and is not logged yet.", say.WAIT
    ),
    "COSIGNATURES_PENDING": words(
        say.LEDGER_OPEN, "存证的见证方尚未全部联署。", "Not enough witnesses have cosigned the ledger yet.", say.WAIT
    ),
    "LEDGER_AWAY": words(say.LEDGER_OPEN, "存证日志暂时读不到。", "The ledger cannot be read at the moment.", say.WAIT),
    "NO_RECEIPT": words(
        say.LEDGER_OPEN,
        "没有这份{it}的存证回执。",
        "There is no receipt of the ledger for this {it}.",
        say.ASK_ISSUER,
    ),
    **each(
        "LOG_UNKNOWN NOTE_UNSIGNED",
        words(
            say.LEDGER_OPEN,
            "回执来自不在信任名单中的存证日志。",
            "The receipt is of a ledger that is not on the list of trust.",
            say.RECEIPT,
        ),
    ),
    # Where the receipt is of another document or cannot be read. Of this one, and wrong: told by its step.
    "RECEIPT_OF_ANOTHER": words(
        say.RECEIPT_UNFIT,
        "所附的存证回执是另一份{it}的。",
        "The receipt given with it is of another {it}.",
        say.RECEIPT,
    ),
    "LOGGED_OTHER": words(
        say.LEDGER_WRONG, "所附的存证回执不是这份{it}的。", "The receipt is not of this {it}.", say.RECEIPT
    ),
    **each(
        "NOTE_SIGNATURE COSIGNATURE BUNDLE CHECKPOINT ENTRY HASH RECEIPT NOTE PROOF PROOF_WRONG TILE_PATH POLICY",
        words(
            say.RECEIPT_UNFIT,
            "所附的存证回执不是这份{it}的，或者读不了（{what}）。",
            "The receipt is not of this {it}, or cannot be read ({what}).",
            say.RECEIPT,
        ),
    ),
    "LEDGER_DIFFERS": words(
        say.LEDGER_WRONG,
        "存证日志中的记录与登记的{it}不一致。",
        "The ledger holds something else than what is registered.",
        say.OPERATOR,
    ),
}
OF_REASON: Mapping[str, Words] = {**_STANDING, **_LEDGER}
"""By reason, for what has one meaning in every step."""
