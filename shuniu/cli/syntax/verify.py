"""`shuniu verify FILE…`: documents and licences judged offline, many in one call."""

import argparse
from pathlib import Path

from shuniu.cli.syntax.later import later

_HELP = """\
退出码：0 有效，1 无效，2 无法确定，3 没有核验（不是 PDF 或 OFD、读不了，或此机器现在无法核验）；
多个文件取最大值。
64 命令用法有误，70 内部错误，74 结果无法输出，130 被中断，141 输出没有读者：
这些都不是对文件的结论。
加 --json 时每个文件一行。文件旁的存证回执（如 FILE.pdf.tlog-proof、FILE.ofd.tlog-proof）和
国密签章文件 FILE.pdf.ses 自动使用。
DIR 中放 *.pem 信任根、*.vkey 日志公钥、*.crl 撤销列表；没有信任根时，谁的签名都无法确认。
FILE.sdjwt 是持有人出示的电子证照，给出 --audience 和 --nonce 才可能有效；
旁边的 FILE.sdjwt.statuslist 是其状态列表。只读普通文件：管道的内容请先存成文件。

Exit 0 VALID, 1 INVALID, 2 INDETERMINATE, 3 not judged (no PDF or OFD, unreadable, or this
machine cannot verify now); of several files the highest. 64 wrong use, 70 internal error, 74 output cannot be written,
130 interrupted, 141 nobody read the output: these say nothing of any file. With --json one line for each file. A
receipt beside the file (FILE.pdf.tlog-proof, FILE.ofd.tlog-proof) and a seal file
FILE.pdf.ses are used. DIR holds *.pem roots, *.vkey log keys
and *.crl lists; without any root nobody's signature can be confirmed. FILE.sdjwt is a
licence as its holder presents it, VALID only by --audience and --nonce;
FILE.sdjwt.statuslist beside it tells its state. Regular files only: save what comes by a
pipe first.
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "verify",
        help="离线核验文件 / verify documents offline",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="要核验的文件 / the files to judge")
    parser.add_argument(
        "--audience",
        default="",
        help="电子证照：告知持有人的受众 / of a licence: whom the holder was told to present to",
    )
    parser.add_argument(
        "--nonce", default="", help="电子证照：交给持有人的随机数 / of a licence: the nonce that the holder was given"
    )
    parser.add_argument(
        "--trust", type=Path, default=None, metavar="DIR", help="信任根目录，默认本枢纽 / default: this hub's own trust"
    )
    parser.add_argument(
        "--trust-any-signer",
        action="store_true",
        help="不核验颁发机构，不会得出 VALID / judge all else; never prints VALID",
    )
    parser.add_argument(
        "--report",
        type=Path,
        default=None,
        metavar="FILE.xml",
        help="另写 ETSI TS 119 102-2 核验报告（仅限一个文件；不覆盖报告以外的文件） / also write a validation report, "
        "of one document; of what is there only a report is written over",
    )
    parser.set_defaults(run=later("verify_start", "run"))
