"""`shuniu migrate|backup|restore|keys rotate`: looking after what a hub keeps."""

import argparse
from pathlib import Path
from typing import Final

from shuniu.cli.syntax.later import later

ESIGN_KEYS: Final[dict[str, str]] = {
    "tsa": "改为更换时间戳密钥（须放回其 CA 密钥）/ the timestamp key (needs its CA's key)",
    "seal-ca": "改为更换印章 CA（须放回根密钥）/ the seal CA (needs the root's key)",
    "sm2-seal-ca": "改为更换国密印章 CA（须放回国密根密钥）/ the SM2 seal CA (needs its root's key)",
    "maker": "改为更换国密制章者密钥 / the SM2 seal maker",
    "qr": "改为更换二维码签名密钥 / the key that signs QR codes",
    "kek": "改为更换印章密钥的加密密钥 / the key that wraps seal keys",
}
"""Keys of esign by their option: the help."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("migrate", help="升级数据库结构 / bring schemas up to date")
    parser.set_defaults(run=later("migrate", "migrate"))
    parser = commands.add_parser("backup", help="备份（可在运行中） / back up, also while running")
    parser.add_argument("file", type=Path, metavar="FILE.tar.gz", help="内含密钥 / holds keys")
    parser.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="RECIPIENT",
        help="加密给该公钥（age 或 SSH，或其文件） / encrypt to this public key (age, SSH, or a file of them)",
    )
    parser.add_argument(
        "--without-databases",
        action="store_true",
        help="不含 PostgreSQL 中的数据库，另用 pg_dump 备份 / without the databases on PostgreSQL: you back them up",
    )
    parser.set_defaults(run=later("backup", "backup"))
    parser = commands.add_parser(
        "restore",
        help="恢复到空目录 / restore into an empty directory",
        description="Into an empty directory and empty databases; nothing else is touched. What fails leaves nothing.",
    )
    parser.add_argument("file", type=Path, metavar="FILE.tar.gz")
    parser.add_argument(
        "--identity",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="解密私钥文件（age 或 SSH） / a file with the private key that opens it (age or SSH)",
    )
    parser.add_argument(
        "--database",
        action="append",
        default=[],
        metavar="SERVICE=URL",
        help="某服务的新数据库（PostgreSQL） / the new database of a service (PostgreSQL)",
    )
    parser.add_argument(
        "--run-dir", type=Path, default=None, metavar="DIR", help="套接字目录 / directory of sockets, for another place"
    )
    parser.set_defaults(run=later("restore", "restore"))
    keys = commands.add_parser("keys", help="密钥 / keys")
    verbs = keys.add_subparsers(metavar="VERB", required=True)
    parser = verbs.add_parser(
        "rotate",
        help="启用下一把密钥（默认：令牌签名密钥） / start the next key (by default the one that signs tokens)",
        description="Without an option the next token-signing key; it signs once everybody can know it. With an option "
        "another kind instead, one at a time, in force from the next start. What was signed before verifies on.",
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--storage", action="store_true", help="改为更换存储加密密钥 / the keys that stored values are encrypted with"
    )
    kinds.add_argument("--ledger", action="store_true", help="改为更换存证日志密钥 / the key that signs the ledger")
    for name, help_text in ESIGN_KEYS.items():
        kinds.add_argument(f"--{name}", action="store_true", help=help_text)
    parser.set_defaults(run=later("keys", "rotate"))
