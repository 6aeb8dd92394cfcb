"""`shuniu seal renew FILE.pdf`: a sealed document stays verifiable after its timestamp's authority has ended."""

import argparse
from pathlib import Path

from services.esign import commands as esign
from shuniu.cli.output import complain, out
from shuniu.cli.place import Place
from shuniu.cli.verify import EXITS, MARKS, UNREADABLE, trust_of


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    into: Path = arguments.out or arguments.file
    try:
        verdict = esign.renew_file(arguments.file, into, trust_of(arguments), _authorities(arguments))
    except (OSError, esign.TrustError, esign.RenewalError) as error:
        complain(f"未能续期 / not renewed: {error}")
        return UNREADABLE
    found = verdict.as_json()
    lines = [f"{found['verdict']}   {into}"]
    lines += [f"  {MARKS[step['status']]} {step['step']:<10} {step['text']}" for step in found["steps"]]
    out(found, "\n".join(lines), as_json=arguments.json)
    return EXITS[found["verdict"]]


def _authorities(arguments: argparse.Namespace) -> esign.Authorities:
    """Those named; else this hub's own, reached with its edge's root. Raises ConfigError when there is no hub here."""
    if arguments.url:
        found = esign.Authorities.of_hub(arguments.url, arguments.ca)
    elif arguments.tsa:
        found = esign.Authorities("", "", arguments.ca)
    else:
        place = Place(arguments.data.resolve())
        place.hub()
        found = esign.Authorities.of_hub(f"https://{place.edge().people}", arguments.ca or place.trust)
    return esign.Authorities(arguments.tsa or found.tsa, found.ocsp, found.ca)
