"""Sentences for a clerk on an OFD (GB/T 33190) for each reason of its own. Data only; see `verdict_sentences`."""

from collections.abc import Mapping

from services.esign.domain.verdict import Sentence
from services.esign.verification.domain.sentences import verdict_sentences as say
from services.esign.verification.domain.sentences.verdict_sentences import Words, words

OF_REASON: Mapping[str, Words] = {
    "NOTHING": words(
        say.FALSE_SIGNATURE,
        "签名没有保护文件中的任何内容。",
        "The signature covers nothing of the document.",
        say.ORIGINAL,
    ),
    "UNPROTECTED": words(
        say.PARTLY_SIGNED,
        "文件包里有签名没有保护的内容，可能是签名之后加进去的。",
        "The package holds content that the signature does not cover; it may have been added since.",
        say.ASK_ISSUER,
    ),
    "CONTENT_IN_SIGNATURES": words(
        say.PARTLY_SIGNED,
        "文件的一部分内容放在签名自己的文件里，任何人都可以在签名之后改动。",
        "Part of the content lies in the signatures' own files, which anybody can change after signing.",
        say.ORIGINAL,
    ),
    "SIGNATURE_FOREIGN": words(
        say.PARTLY_SIGNED,
        "签名的说明里夹带了不属于签名的内容，可能是签名之后加进去的。",
        "The description of the signatures holds something that is no signature; it may have been added since.",
        say.ASK_ISSUER,
    ),
    "TARGET_MISSING": words(
        say.PARTLY_SIGNED,
        "文件引用的部分内容不在文件包里，签名保护不了，以后可能被人补入。",
        "Part of what the document refers to is not in the package; no signature covers it, and it may be added later.",
        say.ORIGINAL,
    ),
    "TARGET_UNREAD": words(
        say.PARTLY_SIGNED,
        "文件里有无法解读的部分，不能确定签名是否保护了全部内容。",
        "Part of the document cannot be read, so it is not certain that the signature covers all of it.",
        say.ASK_ISSUER,
    ),
    "MAYBE_ADDED": words(
        say.PARTLY_SIGNED,
        "签名没有保护的内容，可能是签名之后加入或改动的。",
        "What the signature does not cover may have been added or changed since.",
        say.ASK_ISSUER,
    ),
    "ADDED": words(
        say.PARTLY_SIGNED,
        "签名之后又加入了内容，先签的人没有见过。",
        "Content was added after the signature, and the earlier signer has not seen it.",
        say.ASK_ISSUER,
    ),
    "SIGNATURE_UNLISTED": words(
        Sentence(
            "文件上的签名没有全部列出，不能直接接受。",
            "Not all signatures of the document are listed: do not accept it as it is.",
        ),
        "文件包里有一个签名没有列出来，打开时看不到它，可能被人去掉了。",
        "The package holds a signature that is not listed, so that no program shows it; it may have been struck off.",
        say.ORIGINAL,
    ),
    "PROTECTED_MISSING": words(
        say.ALTERED,
        "签名所保护的内容被删掉了一部分。",
        "Part of what the signature covers was removed.",
        say.ORIGINAL,
    ),
    "OTHER_DOCUMENT": words(
        say.ALTERED,
        "打开时显示的不是签名所保护的那份内容。",
        "What opens is not the content that the signature covers.",
        say.ORIGINAL,
    ),
    "STAMP_PAGE": words(
        say.PARTLY_SIGNED,
        "签章不在文件的任何一页上。",
        "The seal stands on no page of the document.",
        say.ORIGINAL,
    ),
    "STAMP_OVERSIZED": words(
        say.COVERED,
        "后盖的印章图案过大，可能遮住了先前签署的内容。",
        "A later seal is so large that it may hide what was signed before.",
        say.ASK_ISSUER,
    ),
    "STAMP_ALTERED": words(
        say.COVERED,
        "后盖的印章被拉伸、裁切或反复加盖，与印章本身的样子不符，可能遮住先前签署的内容。",
        "A later seal was stretched, cut or repeated: it is not as its maker drew it, and may hide the content.",
        say.ASK_ISSUER,
    ),
    "TIMES_DIFFER": words(
        say.TIME_OPEN,
        "签名说明里写的时间与签章本身的时间相差一天以上。",
        "The time in the description of the signature is more than a day from that of the seal.",
        say.ASK_ISSUER,
    ),
    "OTHER_SEAL": words(
        say.FALSE_SEAL,
        "所附的印章与签章用的不是同一枚。",
        "The seal beside it is not the one that signed.",
        say.ORIGINAL,
    ),
}
"""By reason, for what has one meaning in every step."""

MET: Mapping[str, Sentence] = {
    "PACKAGE_BROKEN": Sentence("损坏的压缩包", "a broken package"),
    "PACKAGE_COMMENT": Sentence("压缩包后的附加说明", "a comment behind the package"),
    "HEADERS_DIFFER": Sentence("压缩包两处目录不一致", "a package whose two directories differ"),
    "EXTRA_FIELD": Sentence("压缩包里不受签名保护的附加数据", "extra data in the package that no signature covers"),
    "ENTRY_ATTRIBUTES": Sentence("压缩包里不是普通文件的内容", "an entry of the package that is no ordinary file"),
    "NAME_SPELLING": Sentence("与文件名写法不同的路径", "a location spelt otherwise than the file's name"),
    "NAME_ENCODING": Sentence("无法识别的包内文件名", "a file name of unknown encoding"),
    "NAME_TWICE": Sentence("重复的包内文件名", "a file name that stands twice"),
    "NAME_UNSAFE": Sentence("不合规的包内文件名", "a file name that readers take differently"),
    "ENTRY_MISSING": Sentence("缺少入口 OFD.xml", "a package without OFD.xml"),
    "ENTRY_MALFORMED": Sentence("不合规的入口 OFD.xml", "an OFD.xml that names no document"),
    "DOCUMENT_MISSING": Sentence("缺少正文", "a document that is not in the package"),
    "DOCUMENT_MALFORMED": Sentence("不合规的正文描述", "a malformed description of the document"),
    "SEVERAL_DOCUMENTS": Sentence("包内有多份文件", "several documents in one package"),
    "VERSIONS": Sentence("同一文件的多个版本", "several versions of the document"),
    "LOCATION_AMBIGUOUS": Sentence("可以有两种解读的位置", "a location that can be read in two ways"),
    "XML_AMBIGUOUS": Sentence("可以有两种解读的 XML", "XML that can be read in two ways"),
    "XML_DOCTYPE": Sentence("带有文档类型声明的 XML", "XML with a document type"),
    "XML_ENCODING": Sentence("其他字符编码的 XML", "XML of another encoding"),
    "XML_MALFORMED": Sentence("不合规的 XML", "malformed XML"),
    "XML_NAMESPACE": Sentence("其他命名空间的 XML", "XML of another namespace"),
    "XML_ROOT": Sentence("内容不符的 XML", "XML about something else"),
    "SIGNATURES_MISSING": Sentence("缺少签名列表", "a list of signatures that is not there"),
    "SIGNATURE_MISSING": Sentence("缺少签名文件", "a signature that is not there"),
    "SIGNATURE_MALFORMED": Sentence("不合规的签名描述", "a malformed description of a signature"),
    "SIGNATURE_TWICE": Sentence("重复列出的签名", "a signature that is listed twice"),
    "REFERENCE_MALFORMED": Sentence("不合规的签名引用", "a malformed reference of a signature"),
    "STAMP_MALFORMED": Sentence("不合规的签章位置", "a malformed place of a seal"),
    "SEAL_MISSING": Sentence("缺少印章文件", "a seal that is not there"),
    "DIGEST_METHOD": Sentence("不认识的摘要算法", "a digest algorithm not known here"),
}
"""Short names of what a reader may meet in a package."""
