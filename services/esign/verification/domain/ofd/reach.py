"""Follows the document of an OFD package: every location (ST_Loc, GB/T 33190 7.3) from OFD.xml on, file by file.

A signature protects files; the document says which files a reader shows. It may name a file that does not exist yet, or
one that belongs to the signatures and that no signature therefore protects. Whoever writes that file later writes a
part of the document. Readers resolve locations differently, so every reading counts. Readers also go by the names of
elements, and neither by namespaces nor by the root of a file; this walk does the same.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.parsers import expat

from services.esign.domain.digests import SM3
from services.esign.domain.namespaces import bounded
from services.esign.domain.ofd.archive import Archive
from services.esign.domain.ofd.markup import OF_XML, is_too_long, is_wide
from services.esign.domain.ofd.names import MOST_NAME, plain_name, trimmed
from services.esign.domain.ofd.package import ENTRY, Box, Package, box_of
from services.esign.verification.domain.ofd.inks import Inks, dark_states

# Attributes and elements of type ST_Loc in the schemas of GB/T 33190, and those that makers add (ImgLoc, PageFile).
# Makers write some attributes as elements, so each name counts as both. `Signatures` in OFD.xml is not among them,
# because it lawfully leads to a file that is none of the document.
_LOCATIONS = frozenset(
    {
        *("DocRoot", "Cover", "BaseLoc", "PublicRes", "DocumentRes", "PageRes"),
        *("Annotations", "CustomTags", "Attachments", "Extensions"),
        *("FileLoc", "SchemaLoc", "ExtendData", "FontFile", "MediaFile", "Profile", "ImgLoc", "ImageLoc", "PageFile"),
    }
)
# These may lead out of the package (CT_Action, XInclude).
_OUTWARD = frozenset({"URI", "href"})
# Readers show these files or hand them on, and do not look for locations in them.
_DATA = frozenset(
    {"Cover", "SchemaLoc", "ExtendData", "FontFile", "MediaFile", "Profile", "ImgLoc", "ImageLoc", *_OUTWARD}
)
# A FileLoc in one of these leads to data, elsewhere to annotations of a page.
_HOLDERS_OF_DATA = frozenset({"Attachment", "CustomTag"})
# What is seen of a page; its content outside of either is cut off (GB/T 33190 7.5).
_PHYSICAL = "PhysicalBox"
_BOXES = frozenset({_PHYSICAL, "ApplicationBox"})
_WANTED = _LOCATIONS | _OUTWARD | _BOXES
_TEMPLATE = "TemplateID"
_ATTRIBUTES = _WANTED | {_TEMPLATE}
# What is drawn on a page and what a note shows there (CT_GraphicUnit 8.5, Annot 15.2). `Boundary` says where: content
# outside of it is cut off, and what lies inside an object counts from its corner. Nothing around an object has one.
_NOTE, _BOUNDARY = "Appearance", "Boundary"
_DRAWN = frozenset({"TextObject", "ImageObject", "PathObject", "CompositeObject", _NOTE})
# An ID as every reader takes it (ST_ID, 7.3).
_ID = re.compile("[1-9][0-9]{0,9}")
_A4: Box = (0.0, 0.0, 210.0, 297.0)
_SEPARATOR = " "
_OF_OFD = "http://www.ofdspec.org"
_MOST_DEPTH = 256
# Of all files together. An element takes a microsecond, a location up to twenty.
_MOST_ELEMENTS = 2_000_000
_MOST_LOCATIONS = 50_000
_MOST_OBJECTS = 200_000
# Areas of one page or of the document, and templates of one page: they have a few.
_MOST_BOXES, _MOST_TEMPLATES = 16, 16
# What pages name by its ID (GB/T 33190 7.9), and how many one file defines.
_RESOURCES = frozenset({"ColorSpace", "DrawParam", "Font", "MultiMedia", "CompositeGraphicUnit"})
_MOST_RESOURCES = 20_000
# Of the whole document; those of a page are for it alone.
_COMMON = frozenset({"PublicRes", "DocumentRes"})


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page's boxes in mm; None is one that cannot be read. `physical`: where the page is. `seen`: each box to which
    some reader may cut it, because readers know different ones. Boundaries as written of all that is drawn there, and
    of the document's notes, whatever page they are on; empty: it cannot be told. `dark`: those of print in black and
    grey; `others`: of all else.
    """

    physical: tuple[Box | None, ...]
    seen: tuple[Box | None, ...]
    dark: Sequence[str] = field(repr=False)
    others: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reach:
    """`files`: every file that the document leads to, in any reading. `missing`: locations that lead to none.
    `ambiguous`: those that lead to files of different content. `unread`: files whose locations cannot be told. `pages`:
    by ID.
    """

    files: frozenset[str]
    missing: tuple[str, ...]
    ambiguous: tuple[str, ...]
    unread: tuple[str, ...]
    pages: Mapping[str, Sheet] = field(repr=False)


def follow(package: Package) -> Reach:
    """Follows the package. Names that cannot be followed are in `missing` or `unread`. Raises OfdError when a file is
    not what its headers say.
    """
    places = _Places(package.files, posixpath.dirname(package.document))
    allowance = _Allowance()
    scans: dict[str, _Scan] = {}
    files, missing, ambiguous, unread = {ENTRY}, dict[str, None](), dict[str, None](), list[str]()
    common = set[str]()
    pending = [ENTRY]
    while pending:
        holder = pending.pop()
        if holder in scans:
            continue
        scan = scans[holder] = _scanned(package.files, holder, allowance)
        unclear = scan.unclear
        for link in scan.links:
            found, is_exact = places.of(link.text, holder, scan.base)
            files |= found
            unclear = unclear or not is_exact
            if not found and link.name not in _OUTWARD:
                missing[link.text] = None
            usual = places.usual(link.text, holder, scan.base) if len(found) > 1 else frozenset()
            if len({package.digest(name, SM3) for name in usual}) > 1:
                ambiguous[link.text] = None
            if link.name in _COMMON:
                common |= found
            if not link.is_data:
                pending.extend(found)
        if unclear:
            unread.append(holder)
    unread.extend(name for name in _redefining({name: scans[name] for name in sorted(common)}) if name not in unread)
    if not all(_ID.fullmatch(each) for each in (*package.pages, *(each for each, _ in package.templates))):
        unread.append(package.document)
    return Reach(frozenset(files), tuple(missing), tuple(ambiguous), tuple(unread), _sheets(package, places, scans))


@dataclass(frozen=True, slots=True)
class _Link:
    """A location as written. `name` of its attribute or element, `owner` the element around it."""

    name: str
    owner: str
    text: str

    @property
    def is_data(self) -> bool:
        return self.name in _DATA or (self.name == "FileLoc" and self.owner in _HOLDERS_OF_DATA)


class _Places:
    """The files that a location may mean. `folder`: that of Document.xml."""

    def __init__(self, files: Archive, folder: str) -> None:
        self._folder = folder
        self._found: dict[tuple[str, str, str], tuple[frozenset[str], bool]] = {}
        self._names = files.folded

    def of(self, text: str, holder: str, base: str) -> tuple[frozenset[str], bool]:
        """`base`: the folder that a resource file names for its media (Res/@BaseLoc); empty: none. Also whether each
        file is spelt as in the package: in other letters, or escaped, some readers do not find it.
        """
        key = (text, holder, base)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._of(text, holder, base)
        return found

    def _of(self, text: str, holder: str, base: str) -> tuple[frozenset[str], bool]:
        if len(text) > MOST_NAME:
            return frozenset(), True
        decoded = unquote(text).replace("\\", "/")
        found, exact = set[str](), set[str]()
        for folder in self._folders(holder, base):
            for written in {text, decoded, trimmed(text), trimmed(decoded), re.split("[?#]", decoded)[0]}:
                name = posixpath.normpath(posixpath.join(folder, written.lstrip("/")))
                # Some readers stop at the root.
                while name.startswith("../"):
                    name = name[3:]
                if (file := self._names.get(plain_name(name))) is not None:
                    found.add(file)
                    if file == name and written == text:
                        exact.add(file)
        return frozenset(found), found == exact and trimmed(text) == text

    def usual(self, text: str, holder: str, base: str) -> frozenset[str]:
        """The files that it leads to from the file that holds it, or from the root: what makers mean, some the one and
        some the other (`package.located`).
        """
        folders = [""] if text.startswith("/") else [posixpath.dirname(holder), ""]
        within = ["", unquote(base).replace("\\", "/").lstrip("/")]
        below = [posixpath.join(base, text.lstrip("/")) for base in within]
        names = {posixpath.normpath(posixpath.join(folder, each)) for folder in folders for each in below}
        return frozenset(self._names[plain] for plain in map(plain_name, names) if plain in self._names)

    def _folders(self, holder: str, base: str) -> Iterator[str]:
        """A leading slash means the root, yet some readers drop it."""
        for folder in {posixpath.dirname(holder), self._folder, ""}:
            yield folder
            if base:
                yield posixpath.join(folder, unquote(base).replace("\\", "/").lstrip("/"))


@dataclass(slots=True)
class _Allowance:
    elements: int = _MOST_ELEMENTS
    locations: int = _MOST_LOCATIONS
    objects: int = _MOST_OBJECTS


@dataclass(slots=True)
class _Scan:
    """Collects what one file says: its locations, its boxes, the templates that it draws on, the folder of its media
    (`base`), the resources that it defines, the boundaries of the objects and `notes` that it draws, of those in dark
    colours with the states of drawing that they name. `unclear`: that is not all, or readers differ in it.
    """

    links: list[_Link] = field(default_factory=list)
    physical: dict[Box | None, None] = field(default_factory=dict)
    boxes: dict[Box | None, None] = field(default_factory=dict)
    templates: set[str] = field(default_factory=set)
    resources: set[tuple[str, str]] = field(default_factory=set)
    dark: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    inks: Inks = field(default_factory=Inks)
    base: str = ""
    unclear: bool = False


class _Scanner:
    """Fills a scan from one file, without keeping its tree."""

    def __init__(self, scan: _Scan, allowance: _Allowance) -> None:
        self._scan = scan
        self._allowance = allowance
        self._names: list[str] = []
        # Of each open element that holds a location or a box, its text in pieces; None for others.
        self._texts: list[list[str] | None] = []
        self._heard: list[str] | None = None
        # Depths of those whose text has something in between.
        self._parted: set[int] = set()
        # Depth of the object that is open, the outermost one, and its boundary.
        self._object: int | None = None
        self._boundary = ""
        # Names are not kept: a hostile file has as many as elements.
        self._parser = expat.ParserCreate(namespace_separator=_SEPARATOR, intern=None)
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CommentHandler = self._part
        self._parser.ProcessingInstructionHandler = self._part
        self._parser.StartCdataSectionHandler = self._part
        self._parser.XmlDeclHandler = self._declared
        self._parser.StartDoctypeDeclHandler = self._refuse

    def read(self, chunks: Iterable[bytes]) -> None:
        """Raises ExpatError, LookupError, ValueError when readers may differ in what they find, or when it is more than
        is read here.
        """
        fed = 0
        for chunk in bounded(chunks):
            if not fed and is_wide(chunk):
                raise ValueError("not in UTF-8")
            self._parser.Parse(chunk, False)
            fed += len(chunk)
            if is_too_long(self._parser, fed):
                raise ValueError("a tag is too long")
        self._parser.Parse(b"", True)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._allowance.elements -= 1
        if self._allowance.elements < 0 or len(self._names) >= _MOST_DEPTH:
            raise ValueError("too many or too deep elements")
        local = name.rpartition(_SEPARATOR)[2]
        for key, value in attributes.items():
            # Most attributes are those of text and graphics, in no namespace.
            attribute = key
            if _SEPARATOR in key:
                attribute = key.rpartition(_SEPARATOR)[2]
                # Some readers take it for the one without a namespace, and nothing of OFD has one.
                if key not in OF_XML and attribute not in _OUTWARD and name.startswith(_OF_OFD):
                    self._scan.unclear = True
            if attribute in _ATTRIBUTES:
                self._attribute(attribute, local, value)
        self._scan.inks.begin(len(self._names), local, attributes)
        if self._object is None and local in _DRAWN:
            self._object, self._boundary = len(self._names), attributes.get(_BOUNDARY, "")
        elif self._object is None and _BOUNDARY in attributes:
            self._scan.unclear = True
        if local in _RESOURCES:
            self._define(local, attributes.get("ID", "").strip().lstrip("0"))
        self._part()
        self._names.append(local)
        self._texts.append([] if local in _WANTED else None)
        self._listen()

    def _end(self, _name: str) -> None:
        local, text = self._names.pop(), self._texts.pop()
        depth = len(self._names)
        paint = self._scan.inks.end(depth)
        if depth == self._object:
            self._object = None
            self._draw(local, self._boundary, paint)
        if text is not None:
            whole = "".join(text)
            # Some readers take the text up to a comment, others all of it.
            if depth in self._parted and whole.strip():
                self._scan.unclear = True
            self._take(local, self._names[-1] if self._names else "", whole)
        self._parted.discard(depth)
        self._listen()

    def _listen(self) -> None:
        """To the innermost element alone: most text is that of pages, and no location."""
        inside = self._texts[-1] if self._texts else None
        if inside is not self._heard:
            self._heard = inside
            self._parser.CharacterDataHandler = None if inside is None else inside.append

    def _attribute(self, name: str, owner: str, value: str) -> None:
        if name == _TEMPLATE:
            self._scan.templates.add(value)
            if _ID.fullmatch(value) is None:
                self._scan.unclear = True
            if len(self._scan.templates) > _MOST_TEMPLATES:
                raise ValueError("too many templates")
        elif (owner, name) == ("Res", "BaseLoc"):
            self._set_base(value.strip())
        else:
            self._take(name, owner, value)

    def _draw(self, kind: str, boundary: str, states: frozenset[str] | None) -> None:
        """`states`: those that print in dark colours names; None: it is none."""
        self._allowance.objects -= 1
        found = self._scan.notes if kind == _NOTE else self._scan.others
        if self._allowance.objects < 0:
            if found[-1:] != [""]:
                found.append("")
        elif states is None:
            found.append(boundary)
        else:
            self._scan.dark.append((boundary, states))

    def _define(self, kind: str, number: str) -> None:
        defined = self._scan.resources
        if number and (kind, number) in defined:
            # Some readers take the first, some the last.
            self._scan.unclear = True
        if len(defined) >= _MOST_RESOURCES:
            raise ValueError("too many resources")
        defined.add((kind, number))

    def _part(self, *_between: object) -> None:
        if self._texts and self._texts[-1] is not None:
            self._parted.add(len(self._texts) - 1)

    def _take(self, name: str, owner: str, value: str) -> None:
        text = value.strip()
        if not text:
            return
        self._allowance.locations -= 1
        if self._allowance.locations < 0:
            raise ValueError("too many locations")
        if name not in _BOXES:
            self._scan.links.append(_Link(name, owner, text))
            return
        box = box_of(text)
        self._scan.boxes[box] = None
        if name == _PHYSICAL:
            self._scan.physical[box] = None
        if len(self._scan.boxes) > _MOST_BOXES:
            raise ValueError("too many areas")

    def _set_base(self, folder: str) -> None:
        if self._scan.base not in {"", folder}:
            raise ValueError("two folders of media")
        self._scan.base = folder

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if (encoding or "utf-8").lower() != "utf-8":
            raise ValueError("not in UTF-8")

    def _refuse(self, *_declared: object) -> None:
        raise ValueError("a document type")


def _scanned(files: Archive, name: str, allowance: _Allowance) -> _Scan:
    scan = _Scan()
    try:
        _Scanner(scan, allowance).read(files.chunks(name))
    except (expat.ExpatError, LookupError, ValueError):
        scan.unclear = True
    return scan


def _redefining(common: Mapping[str, _Scan]) -> Iterator[str]:
    """Files of resources that define one which another of the same document defines."""
    seen = set[tuple[str, str]]()
    for name, scan in common.items():
        if not seen.isdisjoint(scan.resources):
            yield name
        seen |= scan.resources


def _sheets(package: Package, places: _Places, scans: Mapping[str, _Scan]) -> Mapping[str, Sheet]:
    """A page's own area comes before that of its template, and that before the common one (GB/T 33190 7.7)."""
    nothing = _Scan()
    document = scans.get(package.document, nothing)
    # What cannot be read here means nothing where a page has its own.
    common = tuple(box for box in document.boxes if box is not None)
    templates = _templates(package, places)
    notes = [note for scan in scans.values() for note in (scan.notes if not scan.unclear else [""])]
    is_dark = dark_states([scan.inks for scan in scans.values()])

    def split(drawn: Sequence[_Scan]) -> tuple[Sequence[str], Sequence[str]]:
        if any(scan.unclear for scan in drawn):
            return [], [""]
        dark, others = list[str](), [other for scan in drawn for other in scan.others]
        for scan in drawn:
            for boundary, states in scan.dark:
                (dark if is_dark(states) else others).append(boundary)
        return dark, others

    def sheet(files: frozenset[str]) -> Sheet:
        own = [scans.get(file, nothing) for file in files]
        names = {name for each in own for name in each.templates}
        drawn = [scans.get(file, nothing) for file in {file for name in names for file in templates.get(name, ())}]
        # A template on a template is beyond the standard (7.7).
        dark, others = ([], [""]) if any(scan.templates for scan in drawn) else split([*own, *drawn])
        nearest = (tuple(box for scan in scanned for box in scan.physical) for scanned in (own, drawn, [document]))
        return Sheet(
            next((boxes for boxes in nearest if boxes), (_A4,)),
            tuple(dict.fromkeys((*common, *(box for scan in (*own, *drawn) for box in scan.boxes)))) or (_A4,),
            dark,
            [*notes, *others],
        )

    # Pages may name the same file.
    shown = {page: places.of(location, package.document, "")[0] for page, location in package.pages.items()}
    sheets = {files: sheet(files) for files in set(shown.values())}
    return {page: sheets[files] for page, files in shown.items()}


def _templates(package: Package, places: _Places) -> Mapping[str, Sequence[str]]:
    """The files of each template, by its ID."""
    found = defaultdict[str, dict[str, None]](dict)
    for template, location in package.templates:
        found[template].update(dict.fromkeys(places.of(location, package.document, "")[0]))
    return {template: tuple(files) for template, files in found.items()}
