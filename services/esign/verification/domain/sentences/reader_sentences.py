"""Sentences for a clerk when the verifier could not finish. Data only; see `verdict_sentences`."""

from collections.abc import Mapping

from services.esign.domain.verdict import Sentence
from services.esign.revisions.domain.second_look import MOST_PAGES
from services.esign.verification.domain.sentences import verdict_sentences as say
from services.esign.verification.domain.sentences.verdict_sentences import Words, words

OF_REASON: Mapping[str, Words] = {
    "READER_AWAY": words(
        say.NOT_NOW,
        "核验程序没能在此机器上运行完毕（内存不足、过于繁忙或被终止），与文件内容无关。",
        "The verifier could not run here (too little memory, too busy, or ended); that is not the document's doing.",
        say.TRY_LATER,
    ),
    "BEING_WRITTEN": words(
        say.INCOMPLETE,
        "核验时，这个文件正在被别的程序写入。",
        "Some program was writing the file while it was being read.",
        Sentence(
            "请等下载、复制或保存完成后，再重新核验。",
            "Wait until it is downloaded, copied or saved, and verify it again.",
        ),
    ),
    "BLANK_BLOCKS": words(
        say.INCOMPLETE,
        "文件中间有整块内容是零，可能是下载或拷贝时缺失的；也不能排除有人改动。",
        "Whole blocks inside the file are zeros; they may be missing from a download or copy, or somebody changed it.",
        say.SEND_AGAIN,
    ),
    "PAGES_TOO_MANY": words(
        say.NOT_COMPARED,
        f"各次签章的页面合计超过 {MOST_PAGES} 页，超出核验器逐页比对的上限。",
        f"Its versions have more than {MOST_PAGES} pages together, the most that this reader compares.",
        say.ASK_ISSUER,
    ),
    "PAGES_NOT_COMPARED": words(
        say.NOT_COMPARED,
        "核验器未能把现在的页面与签章时的页面画出来对照。",
        "The reader could not draw the pages as they are and as they were signed.",
        say.ASK_ISSUER,
    ),
}
