"""Sentences for a clerk on a verdict: what holds, and what to do. Data only; `verdict_words` chooses.

The causes, reason by reason, stand in `document_sentences` and `licence_sentences`.

No sentence repeats anything that stands in the document or in a certificate: a forger would otherwise write the verdict
on it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.esign.domain.verdict import Form, Sentence


@dataclass(frozen=True, slots=True)
class Words:
    """A verdict other than VALID, its cause and what to do. In each text `{it}` is what was judged, `{what}` what was
    met.
    """

    verdict: Sentence
    cause: Sentence
    advice: Sentence

    def texts(self) -> Iterator[str]:
        for sentence in (self.verdict, self.cause, self.advice):
            yield from (sentence.zh, sentence.en)


ITEMS: Mapping[Form, Sentence] = {
    **dict.fromkeys(Form, Sentence("文件", "document")),
    **dict.fromkeys((Form.CODE, Form.HASH, Form.NUMBER), Sentence("证明", "certificate")),
    Form.LICENCE: Sentence("证照", "licence"),
}

# --- VALID: what holds, and what is left for the reader's own eyes

_COMPARE = Sentence(
    "请再核对证明上的姓名、编号等内容与持有人是否一致。",
    "Check that name, number and the rest of the content fit the person before you.",
)
_GOOD_FILE = Words(
    Sentence(
        "文件真实有效：内容未被改动，由可信机构签章，目前没有被撤销。",
        "The document is genuine and in force: unchanged, sealed by a trusted authority, not withdrawn.",
    ),
    Sentence("", ""),
    _COMPARE,
)
GOOD: Mapping[Form, Words] = {
    **dict.fromkeys(Form, _GOOD_FILE),
    Form.CODE: Words(
        Sentence(
            "二维码真实，登记中的这份证明目前有效。", "The code is genuine and the certificate registered is in force."
        ),
        Sentence("", ""),
        Sentence(
            "这里只核验了二维码：请逐项核对下列信息与纸面一致；要核验全文，请上传电子原件。",
            "Only the code was checked: compare what is shown with the paper, or upload the file to check all of it.",
        ),
    ),
    Form.HASH: Words(
        Sentence(
            "该摘要与本枢纽签发并存证的原件一致，这份证明目前有效。",
            "The hash is that of a document sealed and logged here, which is in force.",
        ),
        Sentence("", ""),
        Sentence(
            "摘要由您的设备计算，文件没有上传：请确认算的就是手中这个文件，并核对内容与持有人一致。",
            "The file itself was not looked at: make sure the hash is of the file in hand and that it fits its holder.",
        ),
    ),
    Form.NUMBER: Words(
        Sentence("登记中有这份证明，目前有效。", "The certificate is registered and in force."),
        Sentence("", ""),
        Sentence(
            "这里没有查看您手中的文件，其内容可能被改动：请上传文件或扫描二维码核验。",
            "The one in your hand was not looked at and may have been changed: upload the file or scan its code.",
        ),
    ),
    Form.LICENCE: Words(
        Sentence(
            "证照真实有效，由持有人当场出示。", "The licence is genuine and in force; its holder presented it just now."
        ),
        Sentence("", ""),
        Sentence(
            "请以下面列出的、持有人选择披露的内容为准。",
            "Rely on what is listed below, which the holder chose to show.",
        ),
    ),
}
GOOD_RENEWED = Words(
    Sentence(
        "文件真实有效：内容未被改动，由可信机构签章，目前没有被撤销；签章后只追加过用于长期保存的续期数据。",
        "The document is genuine and in force: unchanged, sealed by a trusted authority, not withdrawn; only its "
        "proofs were renewed since.",
    ),
    Sentence("", ""),
    _COMPARE,
)
GOOD_FILLED = Words(
    Sentence(
        "文件真实有效，目前没有被撤销：首个签名之后只填写了允许填写的表单，并由后来的签名确认。",
        "The document is genuine and in force, not withdrawn: after the first signature only its form was filled in, "
        "and signed later.",
    ),
    Sentence("", ""),
    _COMPARE,
)
GOOD_OFFLINE = Words(
    Sentence(
        "文件真实：内容未被改动，由可信机构签章；是否已被撤销没有联网查询。",
        "The document is genuine: unchanged, sealed by a trusted authority; whether it was withdrawn was not asked.",
    ),
    Sentence("", ""),
    Sentence(
        "办理重要事项前，请到出具枢纽的核验页面联网再核验一次，并核对内容与持有人是否一致。",
        "Before anything important, verify again on the page of the hub that issued it, and check that the content "
        "fits the person before you.",
    ),
)
"""The advice on a document that is in the ledger of a hub, which can be asked."""
GOOD_OFFLINE_ANYWHERE = Words(
    GOOD_OFFLINE.verdict,
    Sentence("", ""),
    Sentence(
        "办理重要事项前，请向出具单位核实它是否已被撤销，并核对内容与持有人是否一致。",
        "Before anything important, ask the issuer whether it was withdrawn, and check that the content fits the "
        "person before you.",
    ),
)

GOOD_LICENCE_OFFLINE = Words(
    Sentence(
        "证照真实，由持有人当场出示；是否已被注销或暂停没有查询。",
        "The licence is genuine and its holder presented it just now; whether it was revoked since was not asked.",
    ),
    Sentence("", ""),
    Sentence(
        "办理重要事项前，请联网再核验一次，或附上签发机构最新的状态列表。",
        "Before anything important, verify again online, or with the issuer's newest status list beside it.",
    ),
)

# --- what to do

ORIGINAL = Sentence(
    "不要接受此{it}；请向出具单位索取原件，重新核验。",
    "Do not accept this {it}; ask the issuer for the original and verify that.",
)
SAVED_AGAIN = Sentence(
    "不要接受此{it}；请持有人提供未经阅读软件或聊天软件另存的原件，或向出具单位索取。",
    "Do not accept this {it}; have the holder bring the original, which no reader or chat program saved again, or ask "
    "the issuer for it.",
)
ASK_ISSUER = Sentence(
    "不要只凭此{it}办理；请联系出具单位核实，或请其换发可以核验的版本。",
    "Do not rely on this {it} alone; ask the issuer to confirm it, or to issue one that can be verified here.",
)
REISSUE = Sentence(
    "请出具单位重新签发，或提供带可信时间戳的版本；以后再核验，结果也不会改变。",
    "Ask the issuer to sign it anew, or for a version with a trusted timestamp; trying later changes nothing.",
)
RECEIPT_FIRST = Sentence(
    "请用出具单位发来的原文件，连同存证回执（与文件同名的 .tlog-proof）重新核验，或到出具枢纽的核验页面核验；都没有时，"
    "请出具单位重新签发，或提供带可信时间戳的版本。",
    "Verify the file as the issuer sent it with its ledger receipt (.tlog-proof of the same name), or on the page of "
    "the hub that issued it; with neither, ask the issuer to sign it anew, or for a version with a trusted timestamp.",
)
"""`REISSUE` where no fitting receipt was given: it proves when the document was signed."""
REEXPORT = Sentence(
    "请出具单位另存或“打印为 PDF”后重新签章，或换用本枢纽可读的版本；您自行另存会丢失签章。",
    "Ask the issuer to save it again or print it to PDF and then sign it, or for a form that this hub reads; "
    "saving it yourself would lose the signature.",
)
SEND_AGAIN = Sentence(
    "请重新下载或请对方重新发送完整的文件，再核验。",
    "Download it again or have it sent again, and verify the complete file.",
)
SMALLER = Sentence(
    "请向出具单位索取较小的版本（自行压缩会使签章失效），或扫描二维码、按编号核验；重复核验结果相同。",
    "Ask the issuer for a smaller version (made smaller by you, it loses its seal), or verify by QR code or number; "
    "verifying it again changes nothing.",
)
TRY_LATER = Sentence(
    "请稍后重试；仍然如此时，请联系此机器的管理员，或换一台机器核验。",
    "Try again later; if it stays so, ask whoever runs this machine, or verify on another one.",
)
CHECK_CLOCK = Sentence(
    "请校准时钟后再核验；仍不一致时，请向签发单位核实。",
    "Set the clock right and verify again; if it is still so, ask who issued it.",
)
RIGHT_FILE = Sentence(
    "请核验出具单位发来的 PDF 或 OFD 原文件；只有纸质证明时，请扫描其二维码或按编号核验。",
    "Verify the PDF or OFD file as the issuer sent it; with paper only, scan its QR code or verify by number.",
)
SEALED_FILE = Sentence(
    "请出具单位提供带电子签章的原文件；截图、扫描、打印后另存的文件不带签章。",
    "Ask the issuer for the electronically sealed file; screenshots, scans and files printed again carry no seal.",
)
NEW_ONE = Sentence(
    "不要接受此{it}；请持有人向出具单位申请新的{it}。",
    "Do not accept this {it}; its holder has to ask the issuer for a new one.",
)
WAIT = Sentence(
    "请一分钟后重新核验；仍无结果时，请联系本枢纽的管理单位。",
    "Verify again in a minute; if that brings no result, contact the operator of this hub.",
)
RECEIPT = Sentence(
    "请不附回执重新核验：联机时本枢纽会自行查找，离线时请先移开回执文件；回执可能已损坏，可另取与该文件同名的一份。",
    "Verify again without the receipt: online the hub finds its own, offline move it away first. It may be "
    "damaged: get the one of this very file's name anew.",
)
SEAL_DATA = Sentence(
    "请移开国密签章文件（.ses）再核验，或换上与该文件同名的那一个；仍不通过时，请向出具单位索取原件。",
    "Verify again without the seal file (.ses), or with the one of this very file's name; if that fails too, ask the "
    "issuer for the original.",
)
PRESENT_AGAIN = Sentence(
    "不要采信；请重新打开本页，由持有人按页面上的新问题当场出示。",
    "Do not rely on it; open this page again and have the holder answer its new question here and now.",
)
ANOTHER_WALLET = Sentence(
    "请持有人用电子证照应用重新出示；仍不能读取时，请联系签发机构。",
    "Have the holder present it again from the wallet; if it still cannot be read, contact the issuer.",
)
OPERATOR = Sentence(
    "请联系本枢纽的管理单位处理；在此之前请向出具单位核实。",
    "Contact the operator of this hub; until then ask the issuer to confirm the {it}.",
)

# --- what holds

ALTERED = Sentence(
    "{it}在签章之后被改动过，不能接受。", "The {it} was changed after it was signed and must not be accepted."
)
FALSE_SIGNATURE = Sentence(
    "{it}上的签名不成立，不能接受。", "The signature on the {it} does not hold: it must not be accepted."
)
DAMAGED = Sentence(
    "文件损坏或夹带异常内容，不能当作有效文件接受。",
    "The document is damaged or carries what does not belong to it: do not accept it as valid.",
)
BEYOND = Sentence(
    "文件的写法超出本核验器的能力，真伪尚无结论。",
    "The document is written in a way that this hub cannot judge: it is neither confirmed nor refuted.",
)
INCOMPLETE = Sentence(
    "文件不完整，未能完成核验，真伪尚无结论。",
    "The document is not complete, so it could not be judged: it is neither confirmed nor refuted.",
)
LIMIT = Sentence(
    "文件太大或太复杂，未能完成核验，真伪尚无结论。",
    "The document is too big or too complex to be judged here: it is neither confirmed nor refuted.",
)
NOT_NOW = Sentence(
    "此机器现在无法核验，没有核验；文件真伪尚无结论。",
    "This machine cannot verify at the moment, so nothing was verified: the document is neither confirmed nor refuted.",
)
NOT_COMPARED = Sentence(
    "签章之后文件有增补，没能逐页比对，不能直接接受。",
    "The document was added to after it was signed, and its pages could not be compared.",
)
STRANGER = Sentence(
    "签名者的身份无法确认，核实之前不要接受；{it}在签名之后没有被改动。",
    "Who signed it cannot be confirmed: do not accept it before that is checked. The {it} is unchanged since.",
)
UNSIGNED = Sentence(
    "这个文件没有电子签章，无法核验真伪。", "The document has no electronic signature, so nothing can be verified."
)
NO_DOCUMENT = Sentence(
    "这不是 PDF 或 OFD 文件，没有核验；这不表示它是假的。",
    "This is no PDF or OFD file, so nothing was verified; this does not mean that it is false.",
)
NOT_READ = Sentence(
    "没有读到文件，没有核验；这不表示它是假的。",
    "The file could not be opened, so nothing was verified; this does not mean that it is false.",
)
TIME_OPEN = Sentence(
    "{it}没有被改动，但无法证明是在证书有效期内签的。",
    "The {it} is unchanged, but nothing proves that it was signed while the certificate was valid.",
)
CLOCKS_DIFFER = Sentence(
    "时钟不一致，目前无法判定{it}是何时签的。", "The clocks differ: when the {it} was signed cannot be told now."
)
WRONG_TIME = Sentence("签名时间不成立，不能接受。", "The time of signing cannot be true: do not accept the {it}.")
BAD_SEAL = Sentence(
    "签章时印章或证书已经失效，不能接受。", "The seal or certificate did not count any more at signing: do not accept."
)
WITHOUT_SIGNER = Sentence(
    "无法知道这份{it}是谁签的，不能当作有效{it}接受。",
    "Nobody can tell who signed this {it}: do not accept it as valid.",
)
PARTLY_SIGNED = Sentence(
    "文件中有签名没有保护的内容，不能整份当作有效接受。",
    "The document holds content that the signature does not cover: do not accept all of it as valid.",
)
COVERED = Sentence(
    "后加的签名或印章可能盖住了原有内容，不能直接接受。",
    "A later signature or seal may hide what was there: do not accept the document as it is.",
)
OF_ANOTHER_HUB = Sentence(
    "签名完好、签名者可信，但这枚印章不在本枢纽的登记中。",
    "The signature holds and its signer is trusted, but the seal is not in this hub's register.",
)
NOT_THE_ORIGINAL = Sentence(
    "签名完好、签名者可信，但本枢纽的登记中没有这份{it}。",
    "The signature holds and its signer is trusted, but this hub's register does not have this {it}.",
)
UNCONFIRMED = Sentence(
    "有一项无法核实，不能当作有效{it}接受。", "Something could not be checked: do not accept it as valid."
)
WITHDRAWN = Sentence(
    "这份{it}已被出具单位撤销，现在无效。", "The issuer has withdrawn this {it}: it is not in force any more."
)
NOT_REGISTERED = Sentence(
    "没有在本枢纽查到这份{it}，不能当作有效{it}接受。",
    "This {it} is not registered at this hub: do not accept it as valid.",
)
LEDGER_OPEN = Sentence(
    "存证尚未确认，暂时不能认定为有效。", "Its entry in the ledger is not confirmed yet, so it is not valid for now."
)
RECEIPT_UNFIT = Sentence(
    "回执拿错了或读不了；{it}本身未见问题，暂不能认定为有效。",
    "The receipt is the wrong one or cannot be read; nothing is found wrong with the {it}, which is not valid for now.",
)
SEAL_FILE_UNFIT = Sentence(
    "国密签章文件（.ses）拿错了或读不了；{it}本身未见问题，暂不能认定为有效。",
    "The seal file (.ses) is the wrong one or cannot be read; nothing is found wrong with the {it}, which is not valid "
    "for now.",
)
LEDGER_WRONG = Sentence("存证与{it}不符，不能接受。", "The ledger does not confirm this {it}: it must not be accepted.")
SEAL_OPEN = Sentence(
    "国密电子签章没有得到确认，暂不能认定为有效。",
    "Its GB/T 38540 seal could not be confirmed, so it is not valid for now.",
)
FALSE_SEAL = Sentence("国密电子签章不成立，不能接受。", "The GB/T 38540 seal does not hold: do not accept the {it}.")
FALSE_CODE = Sentence("二维码不是本枢纽签发的，不能接受。", "This is not a code of this hub: do not accept it.")
UNREADABLE_LICENCE = Sentence(
    "出示的内容不是完整的电子证照，不能采信。",
    "What was presented is not a whole electronic licence: do not rely on it.",
)
NOT_BY_HOLDER = Sentence(
    "不能确认是持有人本人当场出示，不能采信。",
    "Nothing shows that the holder presents it here and now: do not rely on it.",
)
NOT_IN_FORCE = Sentence("证照目前不在有效状态，不能采信。", "The licence is not in force: do not rely on it.")

REFUSING = frozenset(
    each.zh
    for each in (
        *(ALTERED, FALSE_SIGNATURE, DAMAGED, WRONG_TIME, BAD_SEAL, WITHDRAWN, LEDGER_WRONG, FALSE_SEAL, FALSE_CODE),
        NOT_IN_FORCE,
    )
)
"""Said only of what is wrong (INVALID)."""
OPEN = frozenset(
    each.zh
    for each in (
        BEYOND,
        INCOMPLETE,
        LIMIT,
        NOT_NOW,
        STRANGER,
        TIME_OPEN,
        CLOCKS_DIFFER,
        WITHOUT_SIGNER,
        PARTLY_SIGNED,
        COVERED,
        LEDGER_OPEN,
        RECEIPT_UNFIT,
        SEAL_FILE_UNFIT,
        SEAL_OPEN,
    )
)
"""Said only of what is not known (INDETERMINATE)."""
RESTING_ON = {
    STRANGER.zh: ("changes", "integrity"),
    TIME_OPEN.zh: ("changes", "integrity"),
    OF_ANOTHER_HUB.zh: ("changes", "integrity", "chain"),
    NOT_THE_ORIGINAL.zh: ("changes", "integrity", "chain"),
    **dict.fromkeys(
        (RECEIPT_UNFIT.zh, SEAL_FILE_UNFIT.zh),
        ("parse", "coverage", "changes", "integrity", "signer", "chain", "time"),
    ),
}
"""Steps that must be VALID before something good is said beside what is not known; else it is UNCONFIRMED."""


def words(verdict: Sentence, zh: str, en: str, advice: Sentence) -> Words:
    return Words(verdict, Sentence(zh, en), advice)


def each(reasons: str, told: Words) -> dict[str, Words]:
    """The same words for several reasons, which stand with blanks between them."""
    return dict.fromkeys(reasons.split(), told)
