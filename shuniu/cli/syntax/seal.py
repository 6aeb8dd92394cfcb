"""`shuniu seal inspect FILE`: a GB/T 38540 or GM/T 0031 seal or seal signature, step by step; `shuniu seal renew`."""

import argparse
import datetime as dt
from pathlib import Path

from shuniu.cli.syntax.later import later


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    group = commands.add_parser("seal", help="电子印章 / electronic seals")
    verbs = group.add_subparsers(metavar="VERB", required=True)
    verb = verbs.add_parser(
        "inspect",
        help="逐步解析与核验印章或签章数据 / read and judge a seal or seal signature step by step",
        description="FILE is a seal (SESeal) or seal signature (SES_Signature) in DER, GB/T 38540 or GM/T 0031. Exit 0 "
        "VALID, 1 INVALID, 2 INDETERMINATE, 3 unreadable. DIR holds *.pem: SM2 roots, authorities and seal makers. A "
        "signature is compared with the PDF that it is beside: --document, or FILE without .ses.",
    )
    verb.add_argument("file", type=Path, metavar="FILE")
    verb.add_argument("--document", type=Path, default=None, metavar="FILE.pdf")
    verb.add_argument(
        "--trust", type=Path, default=None, metavar="DIR", help="信任根目录，默认本枢纽 / default: this hub's own trust"
    )
    verb.add_argument(
        "--picture", type=Path, default=None, metavar="OUT", help="导出印章图像 / write the seal's picture there"
    )
    verb.set_defaults(run=later("seal", "inspect"))
    _add_seals(verbs)
    _add_renew(verbs)


REASONS = (
    "affiliation-changed",
    "cessation-of-operation",
    "key-compromise",
    "privilege-withdrawn",
    "superseded",
    "unspecified",
)
"""Reasons of a revocation, named as in RFC 5280; `seals.REASONS` has their numbers."""


def _add_seals(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verbs.add_parser("list", help="列出印章 / list seals").set_defaults(run=later("seals", "listing"))
    _verb(verbs, "show", "一枚印章及其全部变更 / one seal and all its changes", "show")
    verb = _verb(verbs, "review", "审核印章申请（系统管理员） / review an application, as operator system", "review")
    verb.add_argument("--reject", default="", metavar="WHY", help="驳回及原因 / refuse it")
    _verb(verbs, "make", "制作并启用（安全管理员） / make and activate a reviewed seal, as operator security", "make")
    verb = _verb(verbs, "revoke", "撤销印章 / revoke a seal", "revoke")
    verb.add_argument("--reason", default="unspecified", choices=REASONS, help="撤销原因 / RFC 5280 reason")
    verb.add_argument("--because", required=True, metavar="TEXT", help="原因说明 / why, for the record")
    verb.add_argument("--since", type=moment, default=None, metavar="TIME", help="失效日期 / invalidity date, ISO 8601")
    verb = _verb(
        verbs, "replace", "更换印章：新密钥、证书、图像 / a next version: new key, certificate, picture", "replace"
    )
    verb.add_argument("--because", required=True, metavar="TEXT", help="原因说明 / why, for the record")
    verb.add_argument("--name", default="", help="新名称，默认不变 / new official name (default: as it is)")
    verb.add_argument(
        "--picture",
        type=Path,
        default=None,
        metavar="PNG",
        help="印章图像，默认由枢纽绘制 / default: the hub draws one",
    )
    verb = _verb(verbs, "picture", "导出印章图像 / write a seal's picture to a file", "picture")
    verb.add_argument("out", type=Path, metavar="OUT.png")
    verb.add_argument(
        "--eseal", type=Path, default=None, metavar="OUT", help="同时导出印章数据 / its SESeal too (GB/T 38540, DER)"
    )
    verb = _verb(
        verbs,
        "compromised",
        "印章私钥被盗的处置 / what to do when a seal's key was stolen: revoke it from a date on, list what it sealed "
        "since, apply for its successor",
        "compromised",
    )
    verb.add_argument("--since", type=moment, required=True, metavar="TIME", help="被盗时间 / since when, ISO 8601")
    verb.add_argument(
        "--because", default="私钥失窃 / key compromised", metavar="TEXT", help="原因说明 / for the record"
    )


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    text: str,
    run: str,
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=text)
    verb.add_argument("id", metavar="ID", help="印章编号 / seal id")
    verb.set_defaults(run=later("seals", run))
    return verb


def moment(text: str) -> dt.datetime:
    """ISO 8601; without an offset it is this machine's local time."""
    try:
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 time") from None


def _add_renew(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser(
        "renew",
        help="为已签章文件续期（验证数据与新的文档时间戳） / renew a sealed document: validation data, a new timestamp",
        description="Adds fresh validation data and a document timestamp (PAdES B-LTA) while the authority of the last "
        "timestamp still holds. What was sealed and logged stays at the beginning of the file; receipts beside it stay "
        "good. Exit codes are those of `shuniu verify` for the renewed file; 3 when it could not be made.",
    )
    verb.add_argument("file", type=Path, metavar="FILE.pdf")
    verb.add_argument(
        "--out", type=Path, default=None, metavar="OUT.pdf", help="默认写回原文件 / default: FILE.pdf itself"
    )
    verb.add_argument(
        "--url", default="", metavar="URL", help="枢纽网址 / a hub's address for people (default: this hub's)"
    )
    verb.add_argument(
        "--tsa", default="", metavar="URL", help="另用时间戳机构 / another timestamp authority than the hub's"
    )
    verb.add_argument(
        "--ca", type=Path, default=None, metavar="PEM", help="TLS 根证书 / for TLS, instead of the system's"
    )
    verb.add_argument(
        "--trust", type=Path, default=None, metavar="DIR", help="信任根目录，默认本枢纽 / default: this hub's own trust"
    )
    verb.set_defaults(run=later("renew", "run"))
