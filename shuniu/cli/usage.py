"""Wrong use of a command, said in Chinese: argparse itself speaks English only."""

import argparse
import re
from pathlib import Path
from typing import Final

# What argparse says, and the same in Chinese. The first that fits is used.
_SAID: Final = tuple(
    (re.compile(pattern, re.DOTALL), chinese)
    for pattern, chinese in (
        (r"the following arguments are required: (.*)", r"缺少参数：\1"),
        (r"unrecognized arguments: (.*)", r"不认识的参数：\1"),
        (r"one of the arguments (.*) is required", r"以下参数须给出一个：\1"),
        (r"ambiguous option: (.*) could match (.*)", r"参数 \1 不明确，可能是：\2"),
        (r"argument (.*): not allowed with argument (.*)", r"参数 \1 不能与 \2 同时使用"),
        (r"argument (.*): invalid choice: (.*) \(choose from (.*)\)", r"参数 \1 没有取值 \2，可选：\3"),
        (r"argument (.*): invalid (?:.*) value: (.*)", r"参数 \1 的值 \2 不合要求"),
        (r"argument (.*): expected at least one argument", r"参数 \1 后面至少要有一个值"),
        (r"argument (.*): expected one argument", r"参数 \1 后面要有一个值"),
        (r"argument (.*): expected (\d+) arguments", r"参数 \1 后面要有 \2 个值"),
        (r"argument (.*): the path is empty.*", r"参数 \1 的路径是空的（变量没有赋值？），没有执行"),
        (r"argument (.*): ignored explicit argument (.*)", r"参数 \1 不带值，却给了 \2"),
        (r"argument (.*?): .*", r"参数 \1 有误"),
    )
)


def named(text: str) -> Path:
    """The path that somebody named. `Path` alone takes the empty text of an unset variable for the working directory,
    whose files would then be trusted, judged or written over.
    """
    if not text:
        raise argparse.ArgumentTypeError("the path is empty (an unset variable?), so nothing was done")
    return Path(text)


def in_both(message: str) -> str:
    """Chinese, then what argparse said."""
    for pattern, chinese in _SAID:
        if found := pattern.fullmatch(message):
            return f"{found.expand(chinese)} / {message}"
    return f"命令用法有误 / {message}"
