"""The fonts of all pages: one Chinese family, and a second for the sign that it lacks. Both come with dependencies.

`templates/fonts.typ` names the same two; `templates/NOTICE.md` their sources and licences.
"""

from typing import Final

import pylopdf_fonts_zh_cn
import typst

FAMILY: Final = "Noto Serif SC"
SIGNS_FAMILY: Final = "New Computer Modern Math"
SIGNS: Final = frozenset({0x2252})
"""The character that GB 18030-2022 level 2 has and the first family lacks: ≒. The engine alone sets it."""


def read() -> typst.Fonts:
    """Nothing of the machine's own. Raises RuntimeError when the installed packages lack a family."""
    found = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=True,
        font_paths=[str(pylopdf_fonts_zh_cn.serif_path().parent)],
    )
    if missing := {FAMILY, SIGNS_FAMILY} - set(found.families()):
        raise RuntimeError(f"fonts missing from the installed packages: {', '.join(sorted(missing))}")
    return found
