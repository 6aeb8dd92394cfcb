"""Rendering: one frame for every page, the reader's language, and headers that let a browser do little."""

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.web import cookies, texts
from gateway.web.cookies import FormTokens
from gateway.web.failures import NO_STORE, retry_headers

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]")


@dataclass(frozen=True, slots=True)
class Static:
    """A file of our own, read once."""

    content: bytes
    media_type: str
    tag: str


def load_static(folder: Path = _HERE / "static") -> dict[str, Static]:
    return {
        path.name: Static(path.read_bytes(), _TYPES[path.suffix], hashlib.sha256(path.read_bytes()).hexdigest()[:16])
        for path in sorted(folder.iterdir())
        if path.suffix in _TYPES
    }


def policy(*form_targets: str) -> str:
    """Content-Security-Policy: our own files only; forms go to us and, by redirect, to `form_targets`."""
    forms = " ".join(["'self'", *(source for source in map(form_source, form_targets) if source)])
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"worker-src 'self'; form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )


def form_source(uri: str) -> str:
    """The CSP source of a redirect URI: browsers apply form-action to redirects after a form, too."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return ""
    if not _SCHEME.fullmatch(parts.scheme):
        return ""
    if parts.scheme not in ("http", "https"):
        return f"{parts.scheme}:"  # an app's own scheme (RFC 8252 7.1)
    host = parts.netloc.rpartition("@")[2]
    host = host[: host.rindex(":")] if port is not None else host
    if not _HOST.fullmatch(host):
        return ""
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def language_of(request: Request) -> str:
    """`?lang=`, else OpenID Connect's `ui_locales`, else the cookie, else Chinese."""
    asked = request.query_params.get("lang", "")
    if asked in texts.LANGUAGES:
        return asked
    for locale in request.query_params.get("ui_locales", "").split():
        if locale[:2].lower() in texts.LANGUAGES:
            return locale[:2].lower()
    kept = request.cookies.get(cookies.LANGUAGE, "")
    return kept if kept in texts.LANGUAGES else "zh"


def beijing(seconds: float) -> str:
    """An instant as people here read it (UTC+8, no summer time)."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds + 8 * 3600))


@dataclass(slots=True)
class Pages:
    """The templates, and what they all need."""

    hub_name: str
    forms: FormTokens
    static: Mapping[str, Static] = field(default_factory=load_static)
    _templates: jinja2.Environment = field(init=False)

    def __post_init__(self) -> None:
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(asset=self.asset)

    def asset(self, name: str) -> str:
        """The address of one of our files; it changes with its content, so that it may be kept for ever."""
        return f"/static/{name}?v={self.static[name].tag}"

    @property
    def edition(self) -> str:
        """Changes when any of our files or pages changes."""
        digest = hashlib.sha256("".join(f"{name}{file.tag}" for name, file in self.static.items()).encode())
        for template in sorted(self._templates.list_templates()):
            digest.update((_HERE / "templates" / template).read_bytes())
        return digest.hexdigest()[:16]

    def render(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        here: str = "",
        form_targets: tuple[str, ...] = (),
        **values: Any,
    ) -> Response:
        """A page. `here` is the path that shows it by GET, for the language switch; the request's own if empty."""
        language = language_of(request)
        other = "en" if language == "zh" else "zh"
        # A page that stands for another one (an error) does not carry the parameters of what failed.
        given = [] if here == "/" else request.query_params.multi_items()
        query = [(name, value) for name, value in given if name != "lang"]
        form_cookie = self.forms.cookie(request)
        content = self._templates.get_template(template).render(
            language=language,
            hub_name=self._name(language),
            t=lambda key, **filled: texts.text(key, language, **filled),
            known=lambda key, otherwise: texts.known(key, language, otherwise),
            switch_to=f"{here or request.url.path}?{urlencode([*query, ('lang', other)])}",
            other_language=texts.text("html_lang", other),
            form_token=self.forms.issue(request, form_cookie),
            address=request.url.netloc,
            path=request.url.path if here == "/" else here or request.url.path,
            **values,
        )
        response = HTMLResponse(
            content,
            status,
            {**NO_STORE, "content-security-policy": policy(*form_targets), "content-language": language},
        )
        if request.cookies.get(cookies.FORM, "") != form_cookie:
            self.forms.set_cookie(response, form_cookie)
        self._keep_language(request, response)
        return response

    def _name(self, language: str) -> str:
        """The hub's name. One that was never set is the service's, in the reader's language."""
        return texts.text("service", language) if self.hub_name in texts.TEXTS["service"] else self.hub_name

    def message(
        self, request: Request, title: str, paragraph: str, *, status: int, reason: str = "", here: str = ""
    ) -> Response:
        """A page that says one thing. `title` is a key; `paragraph` is ready text."""
        response = self.render(
            request, "message.html", status=status, here=here, title=title, paragraph=paragraph, reason=reason
        )
        response.headers.update(retry_headers(status))
        return response

    @staticmethod
    def redirect(url: str) -> Response:
        """To a page by GET, whatever the request was; never kept."""
        return RedirectResponse(url, 303, NO_STORE)

    @staticmethod
    def _keep_language(request: Request, response: Response) -> None:
        asked = request.query_params.get("lang", "")
        if asked in texts.LANGUAGES and request.cookies.get(cookies.LANGUAGE) != asked:
            cookies.set_language(response, asked)
