"""`shuniu seal inspect FILE`: a GB/T 38540 or GM/T 0031 seal or seal signature, step by step; `shuniu seal renew`."""

import argparse
from pathlib import Path
from typing import Any

from services.esign import commands as esign
from services.esign.verification import plain_files
from shuniu.cli.output import complain, out
from shuniu.cli.verify import EXITS, MARKS, trust_of
from shuniu.cli.verify_start import UNREADABLE

# So many bytes tell the kind of an image: another file is not written over.
_IMAGE = 4


def inspect(arguments: argparse.Namespace) -> int:
    try:
        report = esign.inspect_seal(arguments.file, trust_of(arguments), document=_document(arguments))
        if arguments.picture is not None and report.picture is not None:
            plain_files.put(arguments.picture, report.picture.data, alike=_IMAGE)
    except (OSError, esign.TrustError) as error:
        complain(f"无法读取 / unreadable: {error}")
        return UNREADABLE
    found = report.as_json()
    out(found, "\n".join(_lines(found)), as_json=arguments.json)
    return EXITS[found["verdict"]] if found["kind"] else UNREADABLE


def _document(arguments: argparse.Namespace) -> Path | None:
    """The PDF named, or the one that FILE.pdf.ses lies beside."""
    named: Path | None = arguments.document
    beside: Path = arguments.file.with_suffix("")
    if named is None and arguments.file.suffix == ".ses" and beside.exists():
        return beside
    return named


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [found["verdict"]]
    seal, signature = found["seal"], found["signature"]
    if seal is not None:
        picture = seal["picture"]
        size = f"{picture['width_mm']} × {picture['height_mm']} mm"
        lines += [
            f"  印章 / seal       {seal['name']}  {seal['id']}  {seal['standard']}",
            f"  有效期 / valid    {seal['valid_from']} – {seal['valid_to']}",
            f"  图像 / picture    {picture['type']} {picture['bytes']} B  {size}",
        ]
    if signature is not None:
        lines += [
            f"  签章时间 / signed {signature['time']}",
            f"  保护范围 / covers {signature['protected']}  SM3 {signature['data_hash']}",
        ]
    return lines + [f"  {MARKS[step['status']]} {step['step']:<16} {step['text']}" for step in found["steps"]]
