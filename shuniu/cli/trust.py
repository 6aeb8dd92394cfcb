"""`shuniu trust`: trust material for offline verification."""

import argparse

from services.esign import commands as esign
from services.esign.verification import plain_files
from shuniu.cli.hub_lists import revocation_lists
from shuniu.cli.output import complain, out
from shuniu.cli.place import Place
from shuniu.kit.process.config import ConfigError


def trust(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    lists = revocation_lists(place)
    if lists.missing:
        # Who verifies with what is left takes a stolen seal's documents for good.
        names = ", ".join(lists.missing)
        complain(
            f"枢纽没有给出撤销列表（{names}），没有导出；请稍后重试，或用 shuniu status 查看 / "
            f"the hub did not give its revocation lists ({names}): nothing was exported; try again later, or see "
            "`shuniu status`"
        )
        return 1
    files = {**esign.trust_files(place.config), **lists.files}
    if not lists.files:
        complain("枢纽未运行，未附撤销列表 / the hub does not run: without its revocation list")
    if arguments.out is not None:
        try:
            arguments.out.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                # Somebody may be verifying with what is there.
                plain_files.put(arguments.out / name, content.encode())
        except OSError as error:
            raise ConfigError(f"{arguments.out}: {error.strerror}") from None
        text = "\n".join(str(arguments.out / name) for name in files)
    else:
        text = "\n".join(f"{name}\n{content}" for name, content in files.items())
    out(files, text, as_json=arguments.json)
    return 0
