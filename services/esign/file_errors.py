"""Why a file could not be read, for people."""

import errno
from typing import Final

_CHINESE: Final = {
    errno.ENOENT: "没有这个文件",
    errno.EISDIR: "这是目录，不是文件",
    errno.ENOTDIR: "路径中有一段不是目录",
    errno.EACCES: "没有读取权限",
    errno.EPERM: "没有读取权限",
    errno.ENAMETOOLONG: "文件名过长",
    errno.ELOOP: "符号链接指向自己",
    errno.EMFILE: "同时打开的文件过多",
    errno.ENFILE: "同时打开的文件过多",
    errno.EIO: "读取时存储设备出错",
}


def told(error: OSError) -> str:
    """Chinese, then English as the system has it."""
    chinese = _CHINESE.get(error.errno or 0, "文件无法读取")
    return f"{chinese} / {error.strerror or type(error).__name__}"


def failed(error: Exception) -> str:
    """The verifier's own failure on a file, whatever it is."""
    return f"核验程序出错 / the verifier failed: {error or type(error).__name__}"
