"""Headless Chromium for tests of pages, and what every page must satisfy there."""

import contextlib
import importlib.util
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

MISSING = "Chromium is absent; `make test-deps` installs it"
ARTIFACTS = Path(__file__).resolve().parents[2] / "var" / "test-artifacts"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1200, "height": 850}
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
]
# A package of the project that holds Chinese fonts; a bare test machine has none of its own.
_FONTS = "pylopdf_fonts_zh_cn"


def executable() -> str:
    """Path of Chromium, empty when there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or ""


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=executable(), args=_FLAGS, env={"HOME": folder, **_fonts(Path(folder))}
            )
            try:
                yield browser
            finally:
                await browser.close()


def _fonts(folder: Path) -> dict[str, str | float | bool]:
    spec = importlib.util.find_spec(_FONTS)
    if spec is None or not spec.submodule_search_locations:
        return {}
    directories = "".join(f"<dir>{place}</dir>" for place in spec.submodule_search_locations)
    (folder / "fonts.conf").write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>/usr/share/fonts</dir>{directories}<cachedir>{folder}/fonts</cachedir>"
        '<match target="pattern"><edit name="family" mode="prepend_first" binding="strong">'
        "<string>Noto Sans SC</string></edit></match>"
        "</fontconfig>"
    )
    return {"FONTCONFIG_FILE": str(folder / "fonts.conf")}


@contextlib.asynccontextmanager
async def page(browser: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """A page of a fresh browser profile; any error on its console fails the test (so does each CSP violation)."""
    context: BrowserContext = await browser.new_context(base_url=url, **{"viewport": DESK, **options})
    context.set_default_timeout(10_000)
    found = await context.new_page()
    complaints: list[str] = []
    found.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield found
    finally:
        await context.close()
    # A refused form is answered with its status, which Chromium reports as if it were a fault.
    assert [line for line in complaints if "the server responded with a status of" not in line] == []


async def shoot(shown: Page, name: str) -> None:
    """Keeps a picture of the whole page."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    await shown.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


async def complaints(shown: Page) -> list[str]:
    """What is wrong with the page for people who do not see it, or see it badly, or use no mouse (WCAG 2.2 A and AA)."""
    found: list[str] = await shown.evaluate(_AUDIT)
    return found


_AUDIT = r"""() => {
  const wrong = [];
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const shown = (node) => node.checkVisibility({ visibilityProperty: true });
  const name = (node) => {
    const by = (node.getAttribute("aria-labelledby") || "").split(" ").filter(Boolean);
    const texts = by.map((id) => document.getElementById(id)?.textContent || "");
    return (
      node.getAttribute("aria-label") || texts.join(" ") || [...(node.labels || [])].map((l) => l.textContent).join(" ") ||
      node.getAttribute("alt") || node.textContent || ""
    ).trim();
  };
  const tell = (what, node) => wrong.push(`${what}: ${node.outerHTML.slice(0, 120)}`);

  // 3.1.1, 2.4.2, 1.3.1, 2.4.1
  if (!document.documentElement.lang) wrong.push("no language");
  if (!document.title.trim()) wrong.push("no title");
  for (const landmark of ["header", "nav", "main", "footer"]) {
    if (all(landmark).length !== 1) wrong.push(`${all(landmark).length} of ${landmark}`);
  }
  const skip = document.querySelector("a");
  if (!skip || !document.getElementById(skip.hash.slice(1))) wrong.push("the first link does not skip to the content");
  const headings = all("h1,h2,h3,h4,h5,h6").filter(shown);
  if (headings.filter((h) => h.tagName === "H1").length !== 1) wrong.push("not exactly one h1");
  let level = 0;
  for (const heading of headings) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) tell(`heading jumps from ${level}`, heading);
    if (!heading.textContent.trim()) tell("empty heading", heading);
    level = next;
  }

  // 4.1.2, 1.1.1, 3.3.2: everything has a name
  for (const node of all("input:not([type=hidden]),select,textarea,button,a[href],summary,section,fieldset")) {
    if (!shown(node)) continue;
    const own = node.tagName === "FIELDSET" ? node.querySelector("legend")?.textContent : name(node);
    if (!(own || "").trim()) tell("no name", node);
  }
  for (const node of all("img")) if (!node.hasAttribute("alt")) tell("no alt", node);
  for (const node of all("svg")) {
    if (node.getAttribute("aria-hidden") !== "true" && !name(node)) tell("svg neither named nor hidden", node);
  }
  for (const node of all("input[required],select[required],textarea[required]")) {
    if (!node.labels?.length) tell("no label", node);
  }
  const ids = all("[id]").map((node) => node.id);
  for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at))) wrong.push(`id twice: ${id}`);
  for (const attribute of ["aria-describedby", "aria-labelledby", "aria-controls", "for"]) {
    for (const node of all(`[${attribute}]`)) {
      for (const id of node.getAttribute(attribute).split(" ")) if (!ids.includes(id)) tell(`${attribute} to nothing`, node);
    }
  }
  for (const node of all("[tabindex]")) if (node.tabIndex > 0) tell("positive tabindex", node);
  for (const node of all("[aria-hidden=true]")) {
    if (node.querySelector("a,button,input,[tabindex='0']")) tell("focusable inside hidden", node);
  }

  // 1.4.3: contrast of every visible text with what lies behind it
  const parse = (colour) => {
    const numbers = colour.match(/[\d.]+/g).map(Number);
    return { rgb: numbers.slice(0, 3), alpha: numbers.length > 3 ? numbers[3] : 1 };
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.alpha === 1) return colour.rgb;
    }
    return [255, 255, 255];
  };
  const ratio = (one, two) => {
    const [high, low] = [luminance(one), luminance(two)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !shown(node) || node.closest("noscript,template,.unseen,.skip")) continue;
    const style = getComputedStyle(node);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = ratio(parse(style.color).rgb, behind(node));
    if (found < (large ? 3 : 4.5)) tell(`contrast ${found.toFixed(2)}`, node);
  }
  // 1.4.11: the edge of what can be filled in
  for (const node of all("input:not([type=hidden]),select,textarea").filter(shown)) {
    const found = ratio(parse(getComputedStyle(node).borderColor).rgb, behind(node.parentElement));
    if (found < 3) tell(`edge ${found.toFixed(2)}`, node);
  }

  // 2.5.8: size of what is tapped (links in running text excepted); 1.4.10: no sideways scrolling
  for (const node of all("button,select,input:not([type=hidden]),.button,nav a,.switch").filter(shown)) {
    const box = node.getBoundingClientRect();
    if (box.height < 40 || box.width < 40) tell(`small target ${box.width}×${box.height}`, node);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`scrolls sideways: ${document.documentElement.scrollWidth}`);

  // Nothing of third parties, nothing inline.
  for (const node of all('[style]:not([style=""]),script:not([src]),style')) tell("inline", node);
  for (const node of all("[src],link[href]")) {
    if (new URL(node.src || node.href).origin !== location.origin) tell("from elsewhere", node);
  }
  return wrong;
}"""
