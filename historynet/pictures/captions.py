"""What was written of a picture: XMP, IPTC data (captions, keywords, names) and comments, from file to file."""

import hashlib
import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from historynet.pictures import jpeg, metadata, png, tiff_pages, xmp
from historynet.pictures.decoded import Source
from historynet.pictures.jpeg2000 import Jpeg2000, boxes
from historynet.pictures.jpegxl import JpegXl
from historynet.pictures.psd import IPTC, resources
from historynet.pictures.tiff_pages import Directory

_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_MARK, _EXTENDED_MARK, _RESOURCES_MARK = (
    b"http://ns.adobe.com/xap/1.0/\0",
    b"http://ns.adobe.com/xmp/extension/\0",
    b"Photoshop 3.0\0",
)
_PART = 65_400
"""Bytes of a part of what is too long for a segment of a JPEG file."""

_LONGEST_IPTC = 1 << 20
_OF_THE_FILE = frozenset({(2, 131), (2, 200), (2, 201), (2, 202), (7, 10), (7, 20), (7, 90), (7, 95), (8, 10), (9, 10)})
"""Records of IPTC data on how the picture lies, of a small picture within it, and of that one's size."""


@dataclass
class Blocks:
    """As they are in a file; empty where there are none.

    Attributes:
        xmp: the packet.
        extended: packets that continue it, by their digest.
        iptc: in the form of IIM.
        comment: bytes, mostly of a text.
    """

    xmp: bytes = b""
    extended: dict[str, bytes] = field(default_factory=dict)
    iptc: bytes = b""
    comment: bytes = b""


@dataclass
class Captions:
    """What a result can have of them.

    Attributes:
        xmp: descriptions (`xmp.Packet`).
        iptc: in the form of IIM.
        comment: bytes, mostly of a text.
    """

    xmp: Sequence[bytes] = ()
    iptc: bytes = b""
    comment: bytes = b""

    @property
    def packet(self) -> bytes:
        """The descriptions as one packet."""
        return xmp.joined(self.xmp)


def found(find: Callable[[], Blocks], notes: list[str]) -> Blocks:
    """What one of the following functions finds in a file; nothing, with a note, if it is damaged."""
    return metadata.unless_damaged(find, "XMP and IPTC data", notes) or Blocks()


def of_image(image: Image.Image, data: bytes) -> Blocks:
    """Those of a file that Pillow has opened.

    Pillow takes an orientation from the packet where the EXIF data has none, and OpenCV does not: the packet is taken
    from it, so that it knows as little.
    """
    if image.format == "PNG" and b"adobe.xmp" in data:
        image.load()  # what stands behind the pixels, too
    blocks = Blocks(image.info.pop("xmp", b""))
    image.info.pop("XML:com.adobe.xmp", None)
    comment = image.info.get("comment", b"")
    blocks.comment = comment if isinstance(comment, bytes) else str(comment).encode()
    if image.format == "PNG":
        blocks.xmp, iptc = png.read_texts(data, xmp.LONGEST)
        blocks.iptc = _of_resources(iptc) or iptc
    elif image.format in ("JPEG", "MPO"):
        blocks.comment = _joined([content for name, content in image.applist if name == "COM"])
        pieces_of_resources = []
        parts: dict[str, list[bytes]] = {}
        for name, content in image.applist:
            if name == "APP13" and content.startswith(_RESOURCES_MARK):
                pieces_of_resources.append(content[len(_RESOURCES_MARK) :])
            elif name == "APP1" and content.startswith(_EXTENDED_MARK):
                place = len(_EXTENDED_MARK)
                parts.setdefault(content[place : place + 32].decode("latin-1"), []).append(content[place + 32 :])
        blocks.iptc = _of_resources(b"".join(pieces_of_resources))
        # Each part: the whole's length, its own place, its bytes.
        blocks.extended = {
            digest: b"".join(part[8:] for part in sorted(pieces, key=lambda part: part[4:8]))
            for digest, pieces in parts.items()
        }
    return blocks


def _joined(comments: Sequence[bytes]) -> bytes:
    """The comments of a JPEG file as one, in lines; one that fills its segment goes on in the next."""
    lines = (text if len(text) == jpeg.ROOM else text.rstrip(b"\0") + b"\n" for text in comments)
    return b"".join(lines).removesuffix(b"\n")


def of_page(data: bytes, directory: Directory) -> Blocks:
    """Those of a page of a TIFF file."""
    texts = {tag: data[start : start + count] for tag, (start, count) in directory.texts.items()}
    iptc = texts.get(tiff_pages.IPTC) or _of_resources(texts.get(tiff_pages.RESOURCES, b""))
    return Blocks(texts.get(tiff_pages.XMP, b""), iptc=iptc)


def of_source(source: Source, data: bytes) -> Blocks:
    """Those of a file of a kind that has a reader of its own."""
    if not isinstance(source, Jpeg2000 | JpegXl):
        return Blocks(source.xmp or b"", iptc=source.iptc or b"")
    file = io.BytesIO(data)
    for kind, start, end in boxes(file, 0, len(data)):
        if kind == b"xml " and isinstance(source, JpegXl):
            return Blocks(data[start:end])
        if kind == b"uuid" and data[start : start + 16] == _XMP_BOX:
            return Blocks(data[start + 16 : end])
    return Blocks()


def _of_resources(block: bytes) -> bytes:
    """The IPTC data among Photoshop's image resources."""
    return next((content for kind, content in resources(block) if kind == IPTC), b"")


def kept(blocks: Blocks, turned: bool, notes: list[str]) -> Captions:
    """What of a file's blocks is true of its result.

    Args:
        blocks: of the file.
        turned: whether the picture is turned against the file's values.
        notes: what is left out is added.
    """
    captions = Captions(comment=blocks.comment.rstrip(b"\0"))
    try:
        captions.xmp = _kept_xmp(blocks, turned, notes)
    except (ValueError, RecursionError):
        notes.append("its XMP data is damaged and is left out")
    try:
        captions.iptc = _kept_iptc(blocks.iptc)
    except ValueError:
        notes.append("its IPTC data is damaged and is left out")
    return captions


def _kept_xmp(blocks: Blocks, turned: bool, notes: list[str]) -> list[bytes]:
    if not blocks.xmp:
        return []
    if len(blocks.xmp) + sum(map(len, blocks.extended.values())) > xmp.LONGEST:
        notes.append(f"its XMP data is larger than {xmp.LONGEST >> 20} MB and is left out")
        return []
    first = xmp.read(blocks.xmp, turned)
    packets = [first]
    if first.extension:
        more = blocks.extended.get(first.extension, b"")
        if hashlib.md5(more, usedforsecurity=False).hexdigest().upper() == first.extension.upper():
            packets.append(xmp.read(more, turned or (first.orientation or 1) != 1))
        else:
            notes.append("a part of its XMP data is damaged or missing and is left out")
    if any(packet.lost_regions for packet in packets):
        notes.append("regions that its XMP data marks are left out, since the picture is turned")
    return [description for packet in packets for description in packet.descriptions]


def _kept_iptc(block: bytes) -> bytes:
    """IPTC data without what speaks of the file; padding at its end goes, too."""
    if len(block) > _LONGEST_IPTC:
        raise ValueError("too long")
    parts, place = [], 0
    while place < len(block):
        if block[place] != 0x1C or place + 5 > len(block):
            if any(block[place:]):
                raise ValueError("no record")
            break
        number, name, length = struct.unpack_from(">BBH", block, place + 1)
        end = place + 5 + length
        if length & 0x8000:
            size = length & 0x7FFF
            end = place + 5 + size + int.from_bytes(block[place + 5 : place + 5 + size], "big")
        if end > len(block):
            raise ValueError("ends early")
        if (number, name) not in _OF_THE_FILE:
            parts.append(block[place:end])
        place = end
    return b"".join(parts)


def put_into(data: np.ndarray, extension: str, captions: Captions) -> list[memoryview | bytes]:
    """The parts, one behind the other, of a JPEG or PNG file with them; other files are one part, as they are.

    Args:
        data: uint8; the file's content.
        extension: the file's, with its dot.
        captions: what the file is to hold; what it cannot is left out.
    """
    content = memoryview(data.ravel())
    if extension == ".jpg":
        place, more = jpeg.find_place(content), _segments(captions)
    elif extension == ".png" and captions.xmp:
        place, more = png.HEADER_END, [png.xmp_chunk(captions.packet)]
    else:
        place, more = 0, []
    return [content[:place], *more, content[place:]]


def _segments(captions: Captions) -> list[bytes]:
    """The segments of a JPEG file that hold them."""
    made = []
    if captions.xmp:
        first, second, digest = xmp.divided(captions.xmp, jpeg.ROOM - len(_MARK))
        made.append((0xE1, _MARK + first))
        for place in range(0, len(second), _PART):
            head = _EXTENDED_MARK + digest.encode() + struct.pack(">II", len(second), place)
            made.append((0xE1, head + second[place : place + _PART]))
    if captions.iptc:
        block = b"8BIM" + struct.pack(">HHI", IPTC, 0, len(captions.iptc)) + captions.iptc
        block += b"\0" * (len(block) % 2)
        made += [(0xED, _RESOURCES_MARK + block[i : i + _PART]) for i in range(0, len(block), _PART)]
    comment = captions.comment
    made += [(0xFE, comment[i : i + jpeg.ROOM]) for i in range(0, len(comment), jpeg.ROOM)]
    return [jpeg.segment(kind, content) for kind, content in made]


def left_out(captions: Captions, extension: str) -> list[str]:
    """Notes on what a result of an extension cannot hold."""
    kind = {".png": "PNG", ".webp": "WebP", ".tif": "TIFF"}.get(extension)
    notes = []
    if kind in ("PNG", "WebP") and captions.iptc:
        notes.append(f"its IPTC data is left out, which {kind} files do not hold (JPEG and TIFF files do)")
    if kind and captions.comment:
        notes.append(f"its comment is left out, which {kind} files do not hold (JPEG files do)")
    return notes
