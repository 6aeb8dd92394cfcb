"""Sentences for a clerk about changes made after a signature. Data only; see `verdict_sentences`."""

from collections.abc import Mapping

from services.esign.domain.verdict import Sentence
from services.esign.verification.domain.sentences import verdict_sentences as say
from services.esign.verification.domain.sentences.verdict_sentences import Words, words

OF_REASON: Mapping[str, Words] = {
    "CHANGED": words(
        say.ALTERED,
        "签章之后，有人增加或改动了签名以外的内容。",
        "After signing, something else than a signature was added or changed.",
        say.ORIGINAL,
    ),
    "SAVED_AGAIN": words(
        Sentence(
            "文件在签章之后又被软件保存过，不能接受这一份。",
            "Some program saved the document again after it was signed: do not accept this copy.",
        ),
        "没有发现内容改动，但这份文件签章时不许再保存。",
        "No change of its content was found, but it was signed so that nothing may be saved into it.",
        say.SAVED_AGAIN,
    ),
    "PADDED": words(
        Sentence(
            "文件末尾被填充了空白，不是原样，不能直接接受这一份。",
            "The end of the file was padded, so it is not as it was issued: do not accept this copy as it is.",
        ),
        "传输或存储时在末尾加了空白或零字节；没有发现内容改动。",
        "Blanks or zeros were added behind its end on its way or on a disk; no change of its content was found.",
        say.SAVED_AGAIN,
    ),
    "LOCKED": words(
        say.ALTERED,
        "签章之后，有人改动了已锁定的签名域。",
        "After signing, a signature field that was locked was changed.",
        say.ORIGINAL,
    ),
    "LATER_REVISION": words(
        Sentence(
            "签名之后文件又有改动，改动的部分没有人签名。",
            "The document was changed after it was signed, and nobody signed the change.",
        ),
        "最后一次签名之后增加了签名以外的内容。",
        "After the last signature something else than a signature was added.",
        Sentence(
            "不要依据改动后的内容办理；请向出具单位索取签名后未再改动的文件。",
            "Do not rely on what it shows now; ask the issuer for the document as it was when it was signed.",
        ),
    ),
    "CHANGED_BETWEEN": words(
        Sentence(
            "文件在两次签名之间有过改动，先签的人没有见过改动。",
            "The document was changed between two signatures: who signed first has not seen the change.",
        ),
        "改动之后又有人签名：后签的人签的是改动后的内容，先签的人签的是改动前的。",
        "Somebody signed after the change: the later signer signed what it shows now, the earlier what it was before.",
        Sentence(
            "请向出具单位核实先签的人是否认可改动，或请各方对改动后的文件重新签署。",
            "Ask the issuer whether the earlier signer agrees to the change, or have all sign the document as it is.",
        ),
    ),
    "FIELD_TOO_LARGE": words(
        say.COVERED,
        "后签的人所加的签名域占页面过大，可能盖住先签的人看到的内容。",
        "The field that the later signer added takes too much of the page: it may hide what the earlier one signed.",
        Sentence(
            "请向出具单位核实被盖住的内容，或请其用大小正常的签章重新签署。",
            "Ask the issuer what lies under it, or to have it signed again with a seal of usual size.",
        ),
    ),
    "PAGES_DIFFER": words(
        say.ALTERED,
        "页面上看到的内容与签章时不一样。",
        "The pages look different from what was signed.",
        say.ORIGINAL,
    ),
    "COVERS_CONTENT": words(
        say.COVERED,
        "签章之后加上的签名，外观盖住了页面上原有的内容。",
        "The look of a signature that was added later lies over what the page showed.",
        say.ASK_ISSUER,
    ),
    "PAGES_NOT_COMPARED": words(
        Sentence(
            "签章之后文件有增补，没能逐页比对，不能直接接受。",
            "The document was added to after it was signed, and its pages could not be compared.",
        ),
        "核验器未能把现在的页面与签章时的页面画出来对照。",
        "The reader could not draw the pages as they are and as they were signed.",
        say.ASK_ISSUER,
    ),
    "FILLED_SINCE": words(
        Sentence(
            "签名之后又填写了表单，填写的内容没有人签名。",
            "Form fields were filled in after signing, and nobody signed what was written.",
        ),
        "文件允许填写表单，但最后一次签名没有包括这些内容。",
        "The document allows its form to be filled in, but the last signature does not cover that.",
        say.ASK_ISSUER,
    ),
}
"""By reason, for what has one meaning in every step."""
