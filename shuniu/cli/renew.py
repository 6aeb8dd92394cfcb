"""`shuniu seal renew FILE.pdf`: a sealed document stays verifiable after its timestamp's authority has ended."""

import argparse
from pathlib import Path

from services.esign import commands as esign
from shuniu.cli.output import complain, out
from shuniu.cli.place import Place
from shuniu.cli.verify import EXITS, MARKS, trust_of
from shuniu.cli.verify_start import UNREADABLE


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
