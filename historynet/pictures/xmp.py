"""XMP data: the packets of a file -> what is still true of a result -> one packet, or two where one is too long.

A packet holds descriptions, each with properties. What stays of them stays byte for byte.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

LONGEST = 4 << 20
"""Bytes of a file's packets that are looked at."""

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TIFF, _EXIF = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/"
_XMP, _PHOTOSHOP = "http://ns.adobe.com/xap/1.0/", "http://ns.adobe.com/photoshop/1.0/"
_NOTE = "http://ns.adobe.com/xmp/note/"

_EXTENSION = f"{_NOTE} HasExtendedXMP"
_ORIENTATION = f"{_TIFF} Orientation"

_OF_THE_FILE = frozenset(
    {
        *(f"{_TIFF} {name}" for name in ("ImageWidth", "ImageLength", "BitsPerSample", "SamplesPerPixel")),
        *(f"{_TIFF} {name}" for name in ("PhotometricInterpretation", "Compression", "PlanarConfiguration")),
        *(f"{_TIFF} {name}" for name in ("YCbCrSubSampling", "YCbCrPositioning", "NativeDigest")),
        *(f"{_EXIF} {name}" for name in ("PixelXDimension", "PixelYDimension", "ColorSpace", "NativeDigest")),
        *(f"{_EXIF} {name}" for name in ("ComponentsConfiguration", "CompressedBitsPerPixel")),
        *(f"{_PHOTOSHOP} {name}" for name in ("ColorMode", "ICCProfile", "LegacyIPTCDigest")),
        *(_ORIENTATION, _EXTENSION, f"{_XMP} Thumbnails"),
    }
)
"""Properties on how the file stores its picture; they would be wrong of the result, which says so itself."""

_OF_OTHER_PICTURES = ("http://ns.google.com/photos/1.0/", "http://ns.adobe.com/hdr-gain-map/1.0/", "HDRGainMap")
"""In the namespaces of properties that speak of pictures behind the picture, which a result does not have."""

_REGIONS = frozenset(
    {
        "http://www.metadataworkinggroup.com/schemas/regions/ Regions",
        "http://ns.microsoft.com/photo/1.2/ RegionInfo",
        "http://iptc.org/std/Iptc4xmpExt/2008-02-29/ ImageRegion",
    }
)
"""Properties that mark parts of the picture, as faces, by coordinates of the picture that is not turned."""

_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*+>""")
_TAG_NAME = re.compile(rb"<[^\s/>]+")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_TEXT = 100
"""Letters of a property that are looked at."""

_CONTINUED = (
    b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="%032d"/>' % 0
)
_HEAD = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
)
_TAIL = b'\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'


@dataclass
class Packet:
    """What stays of a packet, and what it said besides.

    Attributes:
        descriptions: those that hold a property that stays, each with the namespaces that it needs.
        orientation: EXIF's number, 1 to 8; None if it names none.
        extension: the digest of the packet that continues this one; empty if none does.
        lost_regions: whether marked parts of the picture had to go, since it is turned.
    """

    descriptions: list[bytes] = field(default_factory=list)
    orientation: int | None = None
    extension: str = ""
    lost_regions: bool = False


def read(data: bytes, turned: bool) -> Packet:
    """A packet without what would be wrong of a result.

    Args:
        data: the packet, UTF-8.
        turned: whether the picture is turned by more than what the packet itself says.

    Raises:
        ValueError: if it is no packet, or a damaged one.
    """
    # Some archives' wrapper has lost its first character, as in ?xpacket; nothing of it is kept in any case.
    data = data[max(data.find(b"<"), 0) :].strip(b"\0\t\n\r ")
    found = _Reader(data).descriptions
    packet = Packet()
    for name, value, _ in (part for description in found for part in description.properties):
        if name == _ORIENTATION and value in tuple("12345678"):
            packet.orientation = int(value)
        elif name == _EXTENSION:
            packet.extension = value
    turned = turned or (packet.orientation or 1) != 1
    for description in found:
        wrong = [part for part in description.properties if _is_wrong(part[0], turned)]
        packet.lost_regions |= any(name in _REGIONS for name, _, _ in wrong)
        if len(wrong) < len(description.properties):
            packet.descriptions.append(description.without([span for _, _, span in wrong], data))
    return packet


def _is_wrong(name: str, turned: bool) -> bool:
    """Whether a property is not true of the result."""
    return name in _OF_THE_FILE or any(part in name for part in _OF_OTHER_PICTURES) or (turned and name in _REGIONS)


@dataclass
class _Description:
    """One description: where it is in a packet.

    Attributes:
        start: its first byte.
        end: the byte behind it.
        namespaces: prefix -> namespace, of those that are declared around it.
        properties: (namespace and name, the beginning of its text, first byte and the one behind it).
    """

    start: int
    end: int = 0
    namespaces: dict[str, str] = field(default_factory=dict)
    properties: list[tuple[str, str, tuple[int, int]]] = field(default_factory=list)

    def without(self, spans: Sequence[tuple[int, int]], data: bytes) -> bytes:
        """Its bytes without some of its properties, and with the namespaces around it."""
        names = [f" xmlns{':' * bool(prefix)}{prefix}={quoteattr(uri)}" for prefix, uri in self.namespaces.items()]
        place = _TAG_NAME.match(data, self.start).end()
        parts = [data[self.start : place], "".join(names).encode()]
        for start, end in sorted(spans):
            parts.append(data[place:start])
            place = end
        return b"".join([*parts, data[place : self.end]])


class _Reader:
    """Finds the descriptions of a packet. No entity is ever expanded, no other file read, no tree built.

    Args:
        data: the packet, UTF-8.

    Attributes:
        descriptions: in the packet's order.

    Raises:
        ValueError: if it is no packet, or a damaged one.
    """

    def __init__(self, data: bytes):
        self.descriptions: list[_Description] = []
        self._data = data
        self._outer: dict[str, str] = {}
        self._declared: dict[str, str] = {}
        self._depth = self._rdf = self._empty_end = 0
        self._property: tuple[str, int] = ("", 0)
        self._text = ""
        parser = self._parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        parser.namespace_prefixes = parser.ordered_attributes = parser.buffer_text = True
        parser.StartNamespaceDeclHandler, parser.StartDoctypeDeclHandler = self._declare, self._refuse
        parser.StartElementHandler, parser.EndElementHandler = self._begin, self._end
        parser.CharacterDataHandler = self._read
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise ValueError(str(error)) from error
        if not self._rdf:
            raise ValueError("no descriptions")

    @property
    def _level(self) -> int:
        """1 in a description, 2 in a property; 0 around the descriptions."""
        return self._depth - self._rdf if self._rdf else 0

    def _refuse(self, *_: object) -> None:
        raise ValueError("a packet has no document type")

    def _declare(self, prefix: str | None, uri: str) -> None:
        self._declared[prefix or ""] = uri

    def _begin(self, name: str, attributes: list[str]) -> None:
        declared, self._declared = self._declared, {}
        self._depth += 1
        place = self._parser.CurrentByteIndex
        end = _TAG.match(self._data, place).end()
        self._empty_end = end if self._data.endswith(b"/>", place, end) else 0
        if not self._level:
            self._outer |= declared
            if name.startswith(f"{_RDF} RDF"):
                self._rdf = self._depth
        elif self._level == 1:
            around = {prefix: uri for prefix, uri in self._outer.items() if prefix not in declared}
            self.descriptions.append(_Description(place, 0, around))
            spans = _attributes(self._data, place)
            for full, value in zip(attributes[::2], attributes[1::2], strict=True):
                uri, _, rest = full.partition(" ")
                local, _, prefix = rest.partition(" ")
                if prefix and uri != _RDF and prefix != "xml":
                    self.descriptions[-1].properties.append((f"{uri} {local}", value, spans[f"{prefix}:{local}"]))
        elif self._level == 2:
            uri, _, rest = name.partition(" ")
            self._property, self._text = (f"{uri} {rest.partition(' ')[0]}", place), ""

    def _read(self, text: str) -> None:
        if len(self._text) < _TEXT:
            self._text += text[:_TEXT]

    def _end(self, name: str) -> None:
        # An empty tag, as <a/>, has no other one that ends it.
        end, self._empty_end = self._empty_end, 0
        if self._level in (1, 2):
            end = end or _TAG.match(self._data, self._parser.CurrentByteIndex).end()
            if self._level == 1:
                self.descriptions[-1].end = end
            else:
                found, start = self._property
                self.descriptions[-1].properties.append((found, self._text.strip(), (start, end)))
        self._depth -= 1


def _attributes(data: bytes, place: int) -> dict[str, tuple[int, int]]:
    """Where the attributes of the tag at a place are, by their names with prefixes, and the space before each."""
    spans = {}
    place = _TAG_NAME.match(data, place).end()
    # One behind the other: a value may hold what looks like an attribute.
    while found := _ATTRIBUTE.match(data, place):
        place = found.end()
        spans[found[1].decode()] = found.span()
    return spans


def joined(descriptions: Sequence[bytes]) -> bytes:
    """One packet of all descriptions."""
    return _HEAD + b"\n".join(descriptions) + _TAIL


def divided(descriptions: Sequence[bytes], room: int) -> tuple[bytes, bytes, str]:
    """The same as two packets where one would be too long: as JPEG files have it.

    Args:
        descriptions: as of `Packet`.
        room: bytes of the first packet.

    Returns:
        The first packet, the second, which is empty if there is none, and its digest, by which the first names it.
    """
    whole = joined(descriptions)
    if len(whole) <= room:
        return whole, b"", ""
    first, rest = [], []
    place = len(_HEAD) + len(_TAIL) + len(_CONTINUED)
    for description in descriptions:
        fits = place + len(description) + 1 <= room
        place += (len(description) + 1) * fits
        (first if fits else rest).append(description)
    second = joined(rest)
    digest = hashlib.md5(second, usedforsecurity=False).hexdigest().upper()
    return joined([*first, _CONTINUED.replace(b"0" * 32, digest.encode())]), second, digest
