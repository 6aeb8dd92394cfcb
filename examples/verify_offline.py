"""核验文件，不连接任何枢纽 / Judges documents without any hub: `python verify_offline.py TRUST FILE…`.

Needs `shuniu-client[verify]` alone. TRUST is a directory as `shuniu trust --out TRUST` writes it. Beside FILE.pdf may
lie its receipt FILE.pdf.tlog-proof and its seal signature FILE.pdf.ses. Exit 0 when all are VALID, 1 when one is not, 3
when trust material or a file cannot be read.
"""

import argparse
import sys
from pathlib import Path

from shuniu_client.verify import TrustError, TrustStore, Verdict, verify


def judged(path: Path, trust: TrustStore) -> Verdict:
    """A document with what lies beside it."""
    receipt, ses = (path.with_name(path.name + suffix) for suffix in (".tlog-proof", ".ses"))
    return verify(
        path.read_bytes(),
        trust,
        receipt=receipt.read_text("utf-8") if receipt.exists() else None,
        ses=ses.read_bytes() if ses.exists() else None,
    )


def said(error: Exception) -> str:
    """The cause why a file was not read, in both languages; errors of the library say both already."""
    if isinstance(error, FileNotFoundError):
        return "没有这个文件 / no such file"
    if isinstance(error, IsADirectoryError):
        return "这是目录，不是文件 / it is a directory"
    if isinstance(error, OSError):
        return f"无法读取 / cannot be read: {error.strerror}"
    return str(error)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trust", metavar="TRUST", help="信任材料目录 / a directory of trust material")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="要核验的文件 / the files to judge")
    given = parser.parse_args()
    try:
        trust = TrustStore.load(given.trust)
    except (TrustError, OSError) as error:
        print(f"没有核验 / nothing was judged: {said(error)}", file=sys.stderr)
        return 3
    bad = unread = 0
    for path in given.files:
        try:
            verdict = judged(path, trust)
        except (OSError, ValueError) as error:
            print(f"没有核验 / not judged: {path}: {said(error)}", file=sys.stderr)
            unread += 1
            continue
        print(f"{verdict.outcome}  {path.name}")
        for zh, en in zip(verdict.said("zh"), verdict.said("en"), strict=True):
            print(f"  {zh}\n  {en}")
        bad += not verdict.is_valid
    return 3 if unread else int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
