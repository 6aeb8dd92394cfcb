"""A copy of the code, in which tests put things where they do not belong."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICE = "services/exchange"


def copied(tree: Path) -> Path:
    """Copies the code, which keeps every rule."""
    for folder in ("shuniu", "services", "gateway", "examples"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


def put(path: Path, text: str = '"""Nothing."""\n') -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def prepend(path: Path, line: str) -> None:
    path.write_text(f"{line}\n{path.read_text('utf-8')}", "utf-8")
