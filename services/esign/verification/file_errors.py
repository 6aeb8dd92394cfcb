"""Names of files, and why one could not be read, for people."""

import errno
import json
import os
from pathlib import Path
from typing import Final

from shuniu.one_line import one_line

_CHINESE: Final = {
    errno.ENOENT: "没有这个文件",
    errno.EEXIST: "那里已有别的文件，没有覆盖",
    errno.EISDIR: "这是目录，不是文件",
    errno.ENOTDIR: "路径中有一段不是目录",
    errno.ENXIO: "不是普通文件，而是管道、套接字或设备",
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.EBADF: "输出已被关闭",
    errno.EAGAIN: "现在没有可读的内容",
    errno.ENAMETOOLONG: "文件名过长",
    errno.ELOOP: "符号链接指向自己",
    errno.EMFILE: "同时打开的文件过多",
    errno.ENFILE: "同时打开的文件过多",
    errno.ENOSPC: "存储空间已满",
    errno.EROFS: "所在的文件系统只读",
    errno.EIO: "存储设备出错",
}


def told(error: OSError, *, beside: Path | None = None) -> str:
    """Chinese, then English as the system has it. `beside`: the file that people asked about; another one is named."""
    chinese = _CHINESE.get(error.errno or 0, "文件无法读取")
    zh, en = ("", "") if beside is None else _hint(error, beside)
    text = f"{chinese}{zh} / {error.strerror or type(error).__name__}{en}"
    named = error.filename
    if beside is None or not named or Path(os.fsdecode(named)) == beside:
        return text
    return f"{quoted(os.fsdecode(named))}: {text}"


def _hint(error: OSError, asked: Path) -> tuple[str, str]:
    """Says what to give instead of a file that people asked about."""
    if error.errno == errno.EISDIR:
        return "；请给出其中的文件，如 DIR/*.pdf", "; give the files in it, as DIR/*.pdf"
    if error.errno == errno.ENXIO or (error.errno == errno.ENOENT and str(asked) == "-"):
        return "；不读标准输入和管道，请先存成文件", "; standard input and pipes are not read: save it as a file first"
    return "", ""


def failed(error: Exception) -> str:
    """The verifier's own failure on a file, whatever it is."""
    return f"核验程序出错 / the verifier failed: {type(error).__name__}: {error}"


def quoted(name: Path | str) -> str:
    """The name as a line of ours may hold it: between quotation marks, which end where the name does, so that nobody
    takes what it says for our words.
    """
    return one_line(json.dumps(str(name), ensure_ascii=False))
