"""Sentences for a clerk by a step alone, with the name of what a reader met. Data only; see `verdict_sentences`."""

from collections.abc import Mapping

from services.esign.domain.foreign_documents import MOST_BYTES
from services.esign.domain.verdict import Sentence, Status
from services.esign.verification.domain.sentences import ofd_sentences
from services.esign.verification.domain.sentences import verdict_sentences as say
from services.esign.verification.domain.sentences.verdict_sentences import Words, words

_INVALID, _UNKNOWN = Status.INVALID, Status.UNKNOWN

MET: Mapping[str, Sentence] = {
    **ofd_sentences.MET,
    "TOO_MANY_CERTIFICATES": Sentence("证书数量", "number of certificates"),
    "CMS_LIMIT": Sentence("签名数据的复杂程度", "how involved its signature is"),
    "TOO_MANY_FIELDS": Sentence("表单域数量", "number of form fields"),
    "TOO_LARGE": Sentence(f"文件大小，最多 {MOST_BYTES >> 20} MiB", f"its size, {MOST_BYTES >> 20} MiB at most"),
    "TOO_MANY_OBJECTS": Sentence("对象数量", "number of objects"),
    "TOO_MANY_REVISIONS": Sentence("修改次数", "number of revisions"),
    "TOO_MANY_SIGNATURES": Sentence("签名数量", "number of signatures"),
    "TOO_MANY_VALUES": Sentence("数据项数量", "number of values"),
    "TOO_DEEP": Sentence("嵌套层数", "depth of nesting"),
    "STRING_TOO_LONG": Sentence("文字长度", "length of a string"),
    "EXPANSION": Sentence("展开后的大小", "its size once expanded"),
    "LIMIT_REACHED": Sentence("所需的时间或内存", "time or memory"),
    "SIGNATURE_HIDDEN": Sentence("有签名没有登记", "one of them is not listed"),
    "SIGNATURE_SHARED": Sentence("两个签名域共用一个签名", "two fields show one signature"),
    "DOCMDP": Sentence("认证级别前后不一", "the level of certification differs"),
    "HYBRID_XREF": Sentence("混合交叉引用表", "a hybrid cross-reference table"),
    "LINEARIZED": Sentence("线性化（快速网页浏览）结构", "a linearised file"),
    "FILTER": Sentence("无法展开的压缩数据", "compressed data that do not expand"),
    "SUBFILTER": Sentence("不认识的签名格式", "a signature of a kind not known here"),
    "FORM_FIELDS": Sentence("签名域以外的表单", "form fields beside signatures"),
    "FORM_PRESENT": Sentence("已有的表单或批注", "a form or annotations that were there before"),
    "FORM": Sentence("不合规的表单", "a malformed form"),
    "LOCK": Sentence("不认识的签名域锁定", "a field's lock of a kind not known here"),
    "DSS": Sentence("不合规的验证数据", "malformed validation data"),
    "PAGES": Sentence("不合规的页面结构", "a malformed page tree"),
    "CATALOG": Sentence("缺少文件目录", "no document catalog"),
    "TRAILER": Sentence("不合规的文件尾", "a malformed trailer"),
    "XREF": Sentence("不合规的交叉引用表", "a malformed cross-reference table"),
    "STARTXREF": Sentence("指向错误位置的文件尾", "an end that points at the wrong place"),
    "SYNTAX": Sentence("不合规的语法", "a breach of syntax"),
    "STRAY_BYTES": Sentence("不属于任何内容的多余数据", "bytes that belong to nothing"),
    "STREAM_LENGTH": Sentence("长度不符的数据流", "a stream of another length than stated"),
    "DUPLICATE_KEY": Sentence("重复的字典键", "a dictionary key that stands twice"),
    "DUPLICATE_OBJECT": Sentence("重复的对象", "an object that stands twice"),
    "UNLISTED_OBJECT": Sentence("未列入目录的隐藏对象", "a hidden object that no table lists"),
    "OBJECT_STREAM": Sentence("不合规的对象流", "a malformed object stream"),
    "REFERENCE_LOOP": Sentence("循环引用", "references that lead in a circle"),
    "ODD_UPDATE": Sentence("不同软件会有不同读法的增补", "an update that programs read differently"),
    "REVISION_CHAIN": Sentence("不连续的版本", "a revision that does not continue the one before"),
    "CMS_SYNTAX": Sentence("不合规的签名数据", "malformed signature data"),
    "CMS_ATTRIBUTES": Sentence("不认识的签名属性", "signed attributes not known here"),
    "CMS_REVOCATION": Sentence("签名内嵌的吊销数据", "revocation data inside the signature"),
    "CMS_SIGNER": Sentence("另一种写法的签名者标识", "a signer named in another way"),
    "CMS_AMBIGUOUS": Sentence("可以有两种解读的签名", "a signature that can be read in two ways"),
    "CMS_CONTENT": Sentence("对其他内容的签名", "a signature over content of another kind"),
    "CMS_DIGESTS": Sentence("未声明的摘要算法", "a digest algorithm that is not announced"),
    "CMS_SIGNERS": Sentence("一个签名里有多名签名者", "several signers in one signature"),
    "CMS_VERSION": Sentence("其他版本的签名数据", "signature data of another version"),
    "CONTENTS_TAIL": Sentence("签名数据后的多余内容", "bytes behind the signature data"),
}
"""Short names of what a reader may meet; a reason that stands here is told by its step's sentence."""

_STRUCTURE = {
    _INVALID: words(say.DAMAGED, "文件结构有误：{what}。", "The structure of the file is wrong: {what}.", say.ORIGINAL),
    _UNKNOWN: words(
        say.BEYOND,
        "文件采用了本核验器不能判断的写法：{what}。",
        "The file is written in a way that this reader does not judge: {what}.",
        say.REEXPORT,
    ),
}
_SIGNING = {
    _INVALID: words(say.FALSE_SIGNATURE, "签名有误：{what}。", "The signature is wrong: {what}.", say.ORIGINAL),
    _UNKNOWN: words(
        say.BEYOND,
        "签名采用了本核验器不能判断的写法：{what}。",
        "The signature is made in a way that this reader does not judge: {what}.",
        say.REEXPORT,
    ),
}
_ANYTHING = {
    _INVALID: words(
        Sentence("{it}没有通过核验，不能接受。", "The {it} did not pass and must not be accepted."),
        "{what}。",
        "{what}.",
        say.ORIGINAL,
    ),
    _UNKNOWN: words(
        Sentence(
            "有一项无法核实，不能当作有效{it}接受。", "Something could not be checked: do not accept it as valid."
        ),
        "{what}。",
        "{what}.",
        say.ASK_ISSUER,
    ),
}
_CERTIFICATE = {
    _INVALID: words(
        say.FALSE_SIGNATURE,
        "签名所用的证书无效（{what}）。",
        "The certificate behind the signature is not acceptable ({what}).",
        say.ORIGINAL,
    ),
    _UNKNOWN: words(
        say.STRANGER,
        "签名所用的证书不能确认（{what}）。",
        "The certificate behind the signature cannot be confirmed ({what}).",
        say.ASK_ISSUER,
    ),
}
_WHEN = {
    _INVALID: words(say.WRONG_TIME, "签名时间有误（{what}）。", "The time is wrong ({what}).", say.ORIGINAL),
    _UNKNOWN: words(say.TIME_OPEN, "签名时间不能确认（{what}）。", "The time is not confirmed ({what}).", say.REISSUE),
}
_LOG = {
    _INVALID: words(say.LEDGER_WRONG, "存证有误（{what}）。", "The ledger says otherwise ({what}).", say.RECEIPT),
    _UNKNOWN: words(
        say.LEDGER_OPEN, "存证不能确认（{what}）。", "The entry is not confirmed ({what}).", say.ASK_ISSUER
    ),
}
_SEAL = {
    _INVALID: words(say.FALSE_SEAL, "国密签章有误（{what}）。", "The seal is wrong ({what}).", say.ORIGINAL),
    _UNKNOWN: words(say.SEAL_OPEN, "国密签章不能确认（{what}）。", "It is not confirmed ({what}).", say.ASK_ISSUER),
}
_OF_STATUS: Mapping[str, Mapping[Status, Words]] = {
    "parse": _STRUCTURE,
    "coverage": _SIGNING,
    "integrity": _SIGNING,
    "signer": _CERTIFICATE,
    "chain": _CERTIFICATE,
    "time": _WHEN,
    "ledger": _LOG,
    "ses": _SEAL,
    "changes": {
        _INVALID: words(
            say.ALTERED,
            "签章之后的改动不被允许：{what}。",
            "What was changed after signing is not allowed: {what}.",
            say.ORIGINAL,
        ),
        _UNKNOWN: words(
            Sentence(
                "签章之后文件有改动，无法判断是否无害。",
                "The document was changed after signing, and whether that is harmless cannot be judged.",
            ),
            "签章之后出现了本核验器不能判断的改动：{what}。",
            "After signing came a change that this reader does not judge: {what}.",
            say.ORIGINAL,
        ),
    },
}


def of_status(step: str, status: Status) -> Words:
    """The words of a step for a reason that has none of its own."""
    wanted = _INVALID if status is _INVALID else _UNKNOWN
    return _OF_STATUS.get(step, _ANYTHING)[wanted]
