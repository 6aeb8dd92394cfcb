"""Sentences for a clerk on a document for each reason that a step can have. Data only; see `verdict_sentences`."""

from collections.abc import Iterator, Mapping

from services.esign.domain.verdict import Sentence
from services.esign.verification.domain.sentences import (
    change_sentences,
    ofd_sentences,
    reader_sentences,
    register_sentences,
    seal_sentences,
    time_sentences,
)
from services.esign.verification.domain.sentences import verdict_sentences as say
from services.esign.verification.domain.sentences.verdict_sentences import Words, each, words

# --- by step and reason, where the same reason means different things

_SEAL_STATES = {
    "SEAL_SUSPENDED": Sentence("暂停使用", "suspended"),
    "SEAL_REVOKED": Sentence("撤销", "revoked"),
    "SEAL_EXPIRED": Sentence("过期", "expired"),
    "SEAL_REPLACED": Sentence("更换", "replaced"),
    "SEAL_APPLIED": Sentence("停用（尚未启用）", "not in use yet"),
    "SEAL_REVIEWED": Sentence("停用（尚未启用）", "not in use yet"),
    "SEAL_ISSUED": Sentence("停用（尚未启用）", "not in use yet"),
    "SEAL_REJECTED": Sentence("停用（未获批准）", "refused"),
}


def _seal_words() -> Iterator[tuple[tuple[str, str], Words]]:
    for reason, state in _SEAL_STATES.items():
        yield (
            ("seal_then", reason),
            words(say.BAD_SEAL, f"用印时这枚印章已{state.zh}。", f"The seal was {state.en} at signing.", say.ORIGINAL),
        )
        yield (
            ("seal_now", reason),
            words(
                say.TIME_OPEN,
                f"印章现已{state.zh}，没有证据表明用印在此之前。",
                f"The seal is {state.en} now and nothing proves that it signed before that.",
                say.REISSUE,
            ),
        )


OF_STEP: Mapping[tuple[str, str], Words] = {
    **dict(_seal_words()),
    # The hub seals with an active seal alone: at signing it was in use, and declared void from then on afterwards.
    ("seal_then", "SEAL_REVOKED"): words(
        say.BAD_SEAL,
        "这枚印章后来被撤销，并被宣布自用印之前起无效（例如私钥被盗）。",
        "The seal was revoked later and declared void from before it signed, as when its key was stolen.",
        say.NEW_ONE,
    ),
    ("seal_validity", "SEAL_EXPIRED"): words(
        say.BAD_SEAL, "用印时间不在印章的有效期内。", "The seal was used outside its period of validity.", say.ORIGINAL
    ),
    ("coverage", "UNFINISHED"): words(
        say.INCOMPLETE,
        "文件比签名写明的短，末尾少了内容，可能没有下载完整。",
        "The file is shorter than its signature says: its end is missing, perhaps it was not downloaded completely.",
        say.SEND_AGAIN,
    ),
    ("coverage", "SIGNATURE"): words(
        say.FALSE_SIGNATURE,
        "文件里登记为签名的内容不是签名。",
        "What the document lists as a signature is none.",
        say.ORIGINAL,
    ),
    **seal_sentences.OF_STEP,
    ("ledger", "OFFLINE"): words(
        say.LEDGER_OPEN, "没有联网，未查询存证。", "Without a network the ledger was not asked.", say.ASK_ISSUER
    ),
    **time_sentences.OF_STEP,
}

# --- by reason alone

_FILE: Mapping[str, Words] = {
    "NOT_A_PDF": words(
        say.NO_DOCUMENT,
        "它的开头不是 PDF 或 OFD 的格式，可能是照片、Word 文档或压缩包。",
        "It does not begin as a PDF or OFD does; it may be a photo, a Word document or an archive.",
        say.RIGHT_FILE,
    ),
    "EMPTY_FILE": words(
        say.NO_DOCUMENT,
        "文件是空的（0 字节）。",
        "The file is empty (0 bytes).",
        Sentence(
            "请重新下载或请对方重新发送，再核验。",
            "Download it again or have it sent again, and verify that.",
        ),
    ),
    "IS_RECEIPT": words(
        say.NO_DOCUMENT,
        "它是文件的存证回执（.tlog-proof），不是文件本身。",
        "It is a document's receipt of the ledger (.tlog-proof), not the document.",
        Sentence(
            "请核验与它同名的 PDF 或 OFD 文件；回执放在文件旁边，或在网页的“存证回执”处选择。",
            "Verify the PDF or OFD of the same name; keep the receipt beside it, or choose it as ledger receipt on the "
            "page.",
        ),
    ),
    "IS_SEAL_DATA": words(
        say.NO_DOCUMENT,
        "它是随文件附上的国密签章数据（.ses），不是文件本身。",
        "It is the GB/T 38540 seal that comes with a document (.ses), not the document.",
        Sentence(
            "请核验与它同名的 PDF 文件：用命令行时把它放在该文件旁边，在网页上只选 PDF 即可。",
            "Verify the PDF of the same name: with a command keep this beside it, on the page choose the PDF alone.",
        ),
    ),
    "NOT_OPENED": words(
        say.NOT_READ,
        "{what}。",
        "{what}.",
        Sentence(
            "请检查文件的路径和读取权限，再重新核验。",
            "Check the file's path and who may read it, and verify it again.",
        ),
    ),
    "HEADER_BEHIND": words(
        say.BEYOND,
        "PDF 内容之前还有别的数据：可能是压缩包，也可能在保存时混入了其他内容。",
        "Something else stands before the PDF: it may be an archive, or was saved together with other data.",
        Sentence(
            "如果是压缩包，请先解压，再核验其中的文件；否则请向出具单位索取原文件。",
            "If it is an archive, unpack it and verify the file inside; else ask the issuer for the original.",
        ),
    ),
    "TWO_FACED": words(
        Sentence(
            "文件同时是 PDF 和压缩包（OFD 等），不能当作有效文件接受。",
            "The file is a PDF and a package (as OFD is) at once: do not accept it as valid.",
        ),
        "不同的阅读软件打开它，会显示不同的内容。",
        "Which content is shown depends on the program that opens it.",
        say.ORIGINAL,
    ),
    "AMBIGUOUS": words(
        Sentence(
            "文件在签章之后又有增补，且有两种解读，不能直接接受。",
            "The document was added to after signing and can be read in two ways: do not accept it as it is.",
        ),
        "不同的阅读软件打开它，可能显示不同的内容。",
        "Programs that open it may show different contents.",
        say.ORIGINAL,
    ),
    "UNFINISHED": words(
        say.INCOMPLETE,
        "文件没有正常结尾，可能没有下载完整。",
        "The file does not end properly; perhaps it was not downloaded completely.",
        say.SEND_AGAIN,
    ),
    "LINES_REWRITTEN": words(
        Sentence(
            "文件在传输中被改写，未能完成核验，真伪尚无结论。",
            "The document was rewritten on its way, so it could not be judged: it is neither confirmed nor refuted.",
        ),
        "传输软件把它当作文本，改写了其中的换行。",
        "Some program took it for text when it passed it on, and rewrote its line ends.",
        Sentence(
            "请重新下载，或请对方以二进制方式或压缩后重新发送，再核验。",
            "Download it again, or have it sent again as binary data or inside an archive, and verify that.",
        ),
    ),
    "ENCRYPTED": words(
        say.BEYOND,
        "文件加了密码或权限保护，无法读取内容。",
        "The document is encrypted or protected by a password, so it cannot be read.",
        Sentence(
            "请出具单位提供未加密的签章文件；您自行解密另存会丢失签章。",
            "Ask the issuer for the sealed document without encryption; removing it yourself would lose the seal.",
        ),
    ),
    "ACTIVE_CONTENT": words(
        Sentence(
            "文件含有能改变显示内容的脚本，不能当作有效文件接受。",
            "The document holds scripts that can change what it shows: do not accept it as valid.",
        ),
        "文件里有脚本、动作或动态表单，打开后看到的内容可能与签署的不同。",
        "It holds scripts, actions or a dynamic form: what is shown may differ from what was signed.",
        Sentence(
            "请出具单位去掉脚本后重新签章，并提供新的文件。",
            "Ask the issuer to remove the scripts, sign again and send the new document.",
        ),
    ),
    **each(
        "TOO_LARGE TOO_MANY_OBJECTS TOO_MANY_REVISIONS TOO_MANY_SIGNATURES TOO_MANY_VALUES TOO_DEEP STRING_TOO_LONG "
        "EXPANSION LIMIT_REACHED TOO_MANY_CERTIFICATES TOO_MANY_FIELDS CMS_LIMIT",
        words(
            say.LIMIT, "文件超过了核验器的上限（{what}）。", "It passes a limit of this reader ({what}).", say.SMALLER
        ),
    ),
    "VERIFIER_FAILED": words(
        Sentence(
            "核验程序出错，未能完成核验，真伪尚无结论。",
            "The verifier failed, so the document could not be judged: it is neither confirmed nor refuted.",
        ),
        "核验程序在处理这个文件时出错，这不说明文件有问题。",
        "The verifier failed on this file, which does not speak against it.",
        say.ASK_ISSUER,
    ),
    "NO_SIGNATURE": words(
        say.UNSIGNED,
        "文件里没有任何电子签名或印章数据；页面上看到的红章只是一幅图。",
        "It holds no signature or seal data; a red seal on the page is only a picture.",
        say.SEALED_FILE,
    ),
    "TIMESTAMP_ONLY": words(
        Sentence(
            "这个文件只有时间戳，没有人签名，不能说明是谁出具的。",
            "The document has a timestamp only: nobody signed it, so nothing says who issued it.",
        ),
        "时间戳只证明文件在某一时刻已经存在。",
        "A timestamp proves only that the document existed by then.",
        say.SEALED_FILE,
    ),
    "SIGNATURE_REMOVED": words(
        say.ALTERED,
        "文件曾有电子签名，后来被人移除了。",
        "The document was signed once, and the signature was taken out.",
        say.ORIGINAL,
    ),
    **each(
        "GAP_SHARED GAP_ELSEWHERE",
        words(
            Sentence(
                "文件中有签名没有保护、却可能显示出来的内容，不能直接接受。",
                "Something that no signature protects may be shown by it: do not accept it as it is.",
            ),
            "文件的写法使签名没有保护的字节可以改变显示的内容，正常软件不会这样写。",
            "It is written so that bytes which no signature protects may change what is shown; no sound software does.",
            say.ORIGINAL,
        ),
    ),
    "SIGNATURE_UNLISTED": words(
        say.UNCONFIRMED,
        "文件里有签名数据，但没有登记在表单中，无法按签名核验。",
        "It holds data of a signature that is not listed in its form, and cannot be judged as a signature.",
        say.ORIGINAL,
    ),
    "SIGNATURE_REPLACED": words(
        Sentence(
            "文件曾有别的电子签名，现已不在，不能接受。",
            "Another signature was on the document and is gone: it must not be accepted.",
        ),
        "文件的早期版本由别人签过，那个签名被去掉后又重新签署。",
        "An earlier version bears a signature that was taken out before the document was signed again.",
        say.ORIGINAL,
    ),
    "CMS_EMPTY": words(
        Sentence("文件的签名是空的，没有人签过，不能接受。", "Its signature is blank: nobody signed the document."),
        "签名栏里没有任何签名数据。",
        "There is nothing in the place of the signature.",
        say.SEALED_FILE,
    ),
    **each(
        "COVERAGE BYTE_RANGE CONTENTS",
        words(
            say.FALSE_SIGNATURE,
            "签名与文件的字节对不上：文件可能被改动，也可能被软件另存过。",
            "The signature does not fit the file's bytes: it was changed, or some program saved it again.",
            say.SAVED_AGAIN,
        ),
    ),
    "DIGEST": words(say.ALTERED, "文件内容与签章时的内容不一致。", "The content is not what was signed.", say.ORIGINAL),
    "SIGNATURE": words(
        say.FALSE_SIGNATURE,
        "签名值与签名者的证书不符。",
        "The signature value does not fit the signer's certificate.",
        say.ORIGINAL,
    ),
    "CERTIFICATE_SWAPPED": words(
        say.FALSE_SIGNATURE,
        "签名所指的证书被换成了另一张。",
        "The certificate that the signature names was replaced by another.",
        say.ORIGINAL,
    ),
    **each(
        "SIGNATURE_HIDDEN SIGNATURE_SHARED DOCMDP",
        words(
            say.FALSE_SIGNATURE,
            "签名在文件中的登记自相矛盾（{what}）。",
            "The document contradicts itself about its signatures ({what}).",
            say.ORIGINAL,
        ),
    ),
}
_SIGNER: Mapping[str, Words] = {
    "ISSUER_NOT_TRUSTED": words(
        say.STRANGER,
        "签名证书由未列入信任名单的机构颁发，证书上的名称无法核实。",
        "The certificate was issued by an authority that is not on the list of trust; its names are not confirmed.",
        Sentence(
            "请先向所称单位核实，电话从别处查，不用文件上的；其他枢纽签发的，请到该枢纽的核验页面核验，网址同样从别处查。",
            "First ask the organisation it names, by a number looked up elsewhere, not the one in the file. If another "
            "hub issued it, verify it on that hub's page, found in the same way.",
        ),
    ),
    "NO_ROOTS": words(
        say.STRANGER,
        "核验方没有配置任何可信任的根证书，因此谁的签名都无法确认；这不说明文件有问题。",
        "The verifier trusts no root, so nobody's signature can be confirmed; nothing speaks against the document.",
        Sentence(
            "请用 --trust 指定放有信任根证书的目录，重新核验；在网页上看到时，请联系其管理单位。",
            "Verify it again with --trust DIR, which holds the roots you trust; on a web page, tell its operator.",
        ),
    ),
    **each(
        "NAME_CONSTRAINTS ISSUER_USAGE",
        words(
            say.STRANGER,
            "签名证书的上级机构不一定有权颁发它（{what}）。",
            "An authority above the certificate may not be entitled to issue it ({what}).",
            say.ASK_ISSUER,
        ),
    ),
    "DIGEST_INSIDE": words(
        Sentence(
            "不能确认签名人签的就是这份文件。",
            "It cannot be told that the signer meant to sign this document.",
        ),
        "签名的内容只是文件的摘要，而不是按规定对文件本身签名。",
        "What was signed is the document's digest as a message of its own, not the document as the rules have it.",
        say.ASK_ISSUER,
    ),
    "ANY_SIGNER": words(
        say.STRANGER,
        "按要求没有核验证书的颁发机构。",
        "The issuer of the certificate was left unjudged, as asked.",
        Sentence("请用信任名单重新核验，再作决定。", "Verify it again with a list of trust before you decide."),
    ),
    **each(
        "WEAK_KEY ALGORITHM WEAK_ALGORITHM WEAK_DIGEST",
        words(
            Sentence(
                "签名使用的算法已不安全或不受支持，不能认定为有效。",
                "The signature uses an algorithm that is too weak or not known here: it is not accepted as valid.",
            ),
            "证书或签名的算法不在本枢纽认可的范围内。",
            "The algorithm of certificate or signature is not one that this hub accepts.",
            Sentence(
                "请出具单位用现行标准的算法重新签章；在此之前请向其核实。",
                "Ask the issuer to sign it again with an algorithm of today's standards, and to confirm it until then.",
            ),
        ),
    ),
    "SM_UNAVAILABLE": words(
        say.BEYOND,
        "这里没有国密算法，不能核验国密签名。",
        "There is no SM2 here, so signatures by Chinese national algorithms cannot be judged.",
        Sentence(
            "请到支持国密算法的核验页面核验，或请出具单位核实。",
            "Verify it where SM2 is supported, or ask the issuer to confirm it.",
        ),
    ),
    **each(
        "CMS_NO_CERTIFICATE NO_CERTIFICATE SIGNER_ABSENT",
        words(
            say.WITHOUT_SIGNER,
            "签名里没有签名者的证书。",
            "The signature does not bring the certificate of who signed.",
            Sentence(
                "请向出具单位核实，并请其提供带证书的签章文件。",
                "Ask the issuer to confirm it, and for a document whose signature brings its certificate.",
            ),
        ),
    ),
    "ALGORITHM_SWAPPED": words(
        say.FALSE_SIGNATURE,
        "签名所用的算法与签署时写明的不同。",
        "The algorithms are not those that were signed.",
        say.ORIGINAL,
    ),
    "CRITICAL_EXTENSION": words(
        say.STRANGER,
        "签名证书含有本核验器不认识的必要内容。",
        "The certificate holds something essential that this reader does not know.",
        say.ASK_ISSUER,
    ),
    **each(
        "SIGNER_KEY_USAGE SIGNER_IS_ROOT SIGNER_IS_CA ISSUER_NOT_A_CA PATH_LENGTH CERTIFICATE_MALFORMED",
        words(
            say.FALSE_SIGNATURE,
            "签名所用的证书无效（{what}）。",
            "The certificate behind the signature is not acceptable ({what}).",
            say.ORIGINAL,
        ),
    ),
}
OF_REASON: Mapping[str, Words] = {
    **ofd_sentences.OF_REASON,
    **register_sentences.OF_REASON,
    **change_sentences.OF_REASON,
    **reader_sentences.OF_REASON,
    **seal_sentences.OF_REASON,
    **_FILE,
    **_SIGNER,
    **time_sentences.OF_REASON,
}
"""By reason, for what has one meaning in every step."""
