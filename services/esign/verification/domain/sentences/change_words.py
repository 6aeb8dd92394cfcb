"""Names of changes after signing in Chinese. The rules that find it describe it in English alone."""

import re
from collections.abc import Mapping, Sequence

from services.esign.verification.domain.sentences.step_sentences import MET

# Whole English texts of `two_versions.Change`, in order of how much they say; what no line knows is named in general.
_CALLED: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern, re.DOTALL), zh)
    for pattern, zh in (
        (r"object (\d+), a new annotation, is no field of a signature", "新增的批注（对象 {}）不是签名域"),
        (r"object (\d+), a new field, is no plain field of a signature", "新增的表单域（对象 {}）不是普通的签名域"),
        (r"the new field (\d+): it covers too much of the page", "新增的签名域（对象 {}）占页面过大"),
        (r"the new field (\d+): it is not on its page", "新增的签名域（对象 {}）不在页面之内"),
        (r"the new field (\d+): it is hidden from some readers", "新增的签名域（对象 {}）在部分阅读软件中不显示"),
        (r"the new field (\d+) shows something that nobody signed", "新增的域（对象 {}）显示了没有人签名的内容"),
        (r"the new field (\d+) stands over an annotation", "新增的签名域（对象 {}）盖在批注之上"),
        (r"a new field has the name of another", "新增的域与已有的域重名"),
        (r"the new (?:field|widget) (\d+)\b.*", "新增的签名域（对象 {}）写法异常"),
        (r"a field was (?:added|signed), which the certification forbids", "首个签名不允许再增加签名"),
        (r"a document timestamp stands in the field (.*), which is a signer's", "文档时间戳占用了留给签署人的域“{}”"),
        (r"the form field (.*) was changed", "表单项“{}”被改动"),
        (r"the form field (.*?)(?::| has a rich| shows what) .*", "表单项“{}”的填写方式异常"),
        (r"the (?:look of|signed) field (\d+)\b.*", "签名域（对象 {}）的外观异常"),
        (r"the field (.*) was locked", "已锁定的域“{}”被改动"),
        (r"the field (\d+)\b.*", "域（对象 {}）写法异常"),
        (r".*(?:an? appearance|a field|SigFlags|list of fields|form has more resources).*", "表单或批注被改动"),
        (r"object (\d+) was added or rewritten and belongs to nothing", "新增或改写的对象 {} 不属于任何内容"),
        (r"object (\d+) was (?:changed|written again)", "对象 {} 被改写"),
        (r"object (\d+) was taken away", "对象 {} 被删除"),
        (r"object (\d+) brings /.*", "对象 {} 带来了可改变显示的内容"),
        (r"the (?:content of )?stream (\d+)\b.*", "数据流 {} 被改动"),
        (r"/(\w+) (?:was changed|came or went)", "文件的 /{} 项被改动"),
        (r"a (?:value|list) (?:was (?:changed|put in another's place)|has another length)", "文件中的一项数据被改动"),
        (r"a stream came or went", "文件中有数据流增减"),
        (r"metadata were added.*", "增加了描述文件的元数据（标题、作者等）"),
        (r".*(?:metadata|document information).*", "文件属性（元数据）被改动"),
        (r".*(?:/DSS|validation data).*", "验证数据被改动"),
        (r"the file was saved again with nothing.*", "文件被另存过，没有增加内容，但首个签名不允许再保存"),
        (
            r"what was added has no single reading: object (\d+) (?:is new and has not generation 0|has another gen.*)",
            "增补的对象 {} 所写的代号（generation）不合规，各阅读软件不一定都读得到",
        ),
        (r"what was added has no single reading: .*?object (\d+)\b.*", "增补的内容可以有多种解读（对象 {}）"),
        (r"what was added has no single reading: .*", "增补的内容可以有多种解读"),
    )
)

# What is wrong with a signature's place in the file, by reason; the others have a name in `MET`.
_STRUCTURE: Mapping[str, str] = {
    "BYTE_RANGE": "签名写明的覆盖范围与签名在文件中的位置不符",
    "CONTENTS": "签名数据缺失或写法不合规",
    "SIGNATURE": "登记为签名的内容不是签名",
}


def structure(reason: str) -> str:
    """Says what is wrong with a signature's place in the file, in Chinese; empty where it has no name."""
    return _STRUCTURE.get(reason) or (MET[reason].zh if reason in MET else "")


def called(en: str) -> str:
    """The change's name in Chinese, without a full stop; empty where it has none."""
    for pattern, zh in _CALLED:
        found = pattern.fullmatch(en)
        if found is not None:
            return zh.format(*found.groups())
    return ""
