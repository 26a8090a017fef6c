"""XMP, IPTC data and comments come from file to file, without what would be wrong of the result: Pillow reads them."""

import hashlib
import io
import struct
import time
import zlib
from xml.etree import ElementTree

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import ExifTags, Image, IptcImagePlugin
from test_newer_formats import planes, psd, resource
from test_profiles import with_chunk

from historynet.pictures import captions, formats, metadata

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
TIFF, EXIF = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/"
XMP_TAG, IPTC_TAG = 700, 33723
CAPTION = "Hochzeit in Łódź, 1931 <bride & groom>"
TARGETS = ("jpg", "png", "tif", "webp")


@pytest.fixture
def rgb():
    return np.random.default_rng(3).integers(0, 256, (30, 40, 3), np.uint8)


def packet(inside="", attributes="", around="", wrapper=True):
    """A packet as other programs write it: one description, with a caption, keywords and whatever else."""
    caption = CAPTION.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&#62;")
    text = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="a > b"{around}>
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about="" xmlns:dc="{DC}" xmlns:tiff="{TIFF}" xmlns:exif="{EXIF}" {attributes}>
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{caption}</rdf:li></rdf:Alt></dc:description>
   <dc:subject><rdf:Bag><rdf:li>wedding</rdf:li><rdf:li>Łódź</rdf:li></rdf:Bag></dc:subject>{inside}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
{" " * 200}
<?xpacket end="w"?>"""
    return text.encode()


def properties(data):
    """Of a packet: namespace and name of each property -> its texts, by another parser."""
    root = ElementTree.fromstring(data.strip(b"\0 \n"))
    found = {}
    for description in root.iter(f"{{{RDF}}}Description"):
        found |= {name: [value] for name, value in description.attrib.items() if RDF not in name}
        for child in description:
            found[child.tag] = [text.strip() for text in child.itertext() if text.strip()]
    return found


def xmp_of(path):
    with Image.open(path) as image:
        return image.info.get("xmp") or b""


IPTC = b"".join(
    struct.pack(">BBBH", 0x1C, *name, len(value)) + value
    for name, value in [
        ((1, 90), b"\x1b%G"),
        ((2, 5), b"a title"),
        ((2, 25), b"wedding"),
        ((2, 25), b"Lodz"),
        ((2, 131), b"L"),
        ((2, 120), CAPTION.encode() + b"\0"),
        ((2, 202), b"a small picture"),
    ]
)


def iptc_of(path):
    with Image.open(path) as image:
        return IptcImagePlugin.getiptcinfo(image) or {}


def app13(content, size=60_000):
    """Photoshop's segments with IPTC data among other resources."""
    block = resource(1005, bytes(16)) + resource(1028, content) + resource(1061, bytes(16))
    parts = [b"Photoshop 3.0\0" + block[i : i + size] for i in range(0, len(block), size)]
    return b"".join(b"\xff\xed" + struct.pack(">H", len(part) + 2) + part for part in parts)


def saved(path, rgb, xmp=b"", iptc=b"", comment=b"", exif=None):
    """A file of the path's kind, with all of it."""
    picture, file = Image.fromarray(rgb), io.BytesIO()
    more = {"exif": exif} if exif else {}
    if path.suffix == ".jpg":
        picture.save(file, "JPEG", xmp=xmp, comment=comment, quality=95, **more)
        data = file.getvalue()
        data = data[:2] + app13(iptc) + data[2:] if iptc else data
    elif path.suffix == ".png":
        picture.save(file, "PNG", **more)
        data = with_chunk(file.getvalue(), b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp) if xmp else file.getvalue()
    elif path.suffix == ".tif":
        tags = [(XMP_TAG, 1, len(xmp), xmp, True)] if xmp else []
        tags += [(IPTC_TAG, 7, len(iptc), iptc, True)] if iptc else []
        tags += [(274, 3, 1, exif[274], True)] if exif else []
        tifffile.imwrite(file, rgb, photometric="rgb", metadata=None, extratags=tags)
        data = file.getvalue()
    else:
        picture.save(file, "WEBP", lossless=True, xmp=xmp, **more)
        data = file.getvalue()
    path.write_bytes(data)
    return path


def through(path, target):
    picture = formats.read(path)
    result = path.with_name(f"out.{target}")
    formats.write(result, picture)
    with Image.open(result) as image:
        image.load()
        assert image.size[::-1] == picture.rgb.shape[:2]
    return result, picture


@pytest.mark.parametrize("source", TARGETS)
@pytest.mark.parametrize("target", TARGETS)
def test_xmp_comes_from_any_format_to_any(tmp_path, rgb, source, target):
    given = packet(attributes='exif:PixelXDimension="40" tiff:Make="an older scanner"')
    result, picture = through(saved(tmp_path / f"in.{source}", rgb, given), target)
    right = properties(given)
    del right[f"{{{EXIF}}}PixelXDimension"]
    assert len(right) == 3
    assert properties(xmp_of(result)) == right
    assert right[f"{{{DC}}}description"] == [CAPTION]
    assert picture.notes == []
    # Not only by name: what stays is as it was.
    assert given[given.index(b"<dc:description>") : given.index(b"</rdf:Description>")] in xmp_of(result)


def test_a_wrapper_that_has_lost_its_first_character_costs_no_caption(tmp_path, rgb):
    # As in JPEG files of the Library of Congress.
    result, picture = through(saved(tmp_path / "in.jpg", rgb, packet().removeprefix(b"<")), "jpg")
    assert properties(xmp_of(result)) == properties(packet())
    assert picture.notes == []


@pytest.mark.parametrize("form", ["attributes", "elements"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_turned_picture_is_not_turned_again(tmp_path, rgb, form, target):
    names = {"tiff:Orientation": 6, "tiff:ImageWidth": 40, "exif:PixelXDimension": 40, "exif:PixelYDimension": 30}
    attributes = " ".join(f"{name}='{value}'" for name, value in names.items())
    elements = "".join(f"<{name}>{value}</{name}>" for name, value in names.items())
    given = packet(attributes=attributes) if form == "attributes" else packet(elements)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    result, picture = through(saved(tmp_path / "in.jpg", rgb, given, exif=exif), target)
    assert picture.rgb.shape == (40, 30, 3)
    assert set(properties(xmp_of(result))) == {f"{{{DC}}}description", f"{{{DC}}}subject"}
    with Image.open(result) as image:
        # Pillow takes XMP's where there is no other.
        assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1


@pytest.mark.parametrize("source", ["png", "webp", "jpg"])
@pytest.mark.parametrize("channels", [3, 4])
def test_an_orientation_in_xmp_alone_turns_neither_colours_nor_transparency(tmp_path, rgb, source, channels):
    values = np.dstack([rgb, rgb[..., 0]])[..., : 3 if source == "jpg" else channels]
    path = saved(tmp_path / f"in.{source}", np.ascontiguousarray(values), packet(attributes='tiff:Orientation="6"'))
    picture = formats.read(path)
    assert picture.rgb.shape == rgb.shape
    if values.shape[2] == 4:
        np.testing.assert_array_equal(picture.alpha, rgb[..., 0])


def test_sizes_in_the_exif_data_are_the_results(tmp_path, rgb):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 8
    exif[ExifTags.Base.ImageWidth] = 40
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExifImageWidth: 40, ExifTags.Base.ExifImageHeight: 30}
    result, _ = through(saved(tmp_path / "in.jpg", rgb, exif=exif), "jpg")
    with Image.open(result) as image:
        kept = image.getexif()
        assert kept[ExifTags.Base.ImageWidth] == 30
        inside = kept.get_ifd(ExifTags.IFD.Exif)
        assert [inside[name] for name in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)] == [30, 40]


REGIONS = """<mwg:Regions xmlns:mwg="http://www.metadataworkinggroup.com/schemas/regions/" rdf:parseType="Resource">
<mwg:AppliedToDimensions>40x30</mwg:AppliedToDimensions></mwg:Regions>"""
THUMBNAILS = """<xmp:Thumbnails xmlns:xmp="http://ns.adobe.com/xap/1.0/"><rdf:Alt><rdf:li rdf:parseType="Resource"
xmlns:g="http://ns.adobe.com/xap/1.0/g/img/"><g:image>/9j/4AAQ</g:image></rdf:li></rdf:Alt></xmp:Thumbnails>"""
GAIN = '<hdrgm:Version xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/">1.0</hdrgm:Version>'


@pytest.mark.parametrize("orientation", [1, 3])
@pytest.mark.parametrize("source", TARGETS)
def test_small_pictures_go_and_faces_where_they_would_lie_wrong(tmp_path, rgb, source, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = saved(tmp_path / f"in.{source}", rgb, packet(REGIONS + THUMBNAILS + GAIN), exif=exif)
    result, picture = through(path, "png")
    names = {name.rpartition("}")[2] for name in properties(xmp_of(result))}
    assert names == {"description", "subject"} | ({"Regions"} if orientation == 1 else set())
    assert [("regions" in note) for note in picture.notes] == ([] if orientation == 1 else [True])


def test_namespaces_that_are_declared_elsewhere_come_along(tmp_path, rgb):
    given = packet('<old:Box xmlns:q="u:q" q:shelf="3">7</old:Box>', around=' xmlns:old="u:archive?a=1&amp;b=2"')
    result, _ = through(saved(tmp_path / "in.jpg", rgb, given), "tif")
    assert properties(xmp_of(result))["{u:archive?a=1&b=2}Box"] == ["7"]


def extension(path):
    """The continuing packet of a JPEG file, put together by the book, and the digest by which it is named."""
    data, place, parts, digest = path.read_bytes(), 2, {}, b""
    while data[place + 1] != 0xDA:
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        content = data[place + 4 : place + 2 + length]
        if content.startswith(b"http://ns.adobe.com/xmp/extension/\0"):
            digest = content[35:67]
            size, offset = struct.unpack(">II", content[67:75])
            parts[offset] = content[75:]
        place += 2 + length
    whole = b"".join(part for _, part in sorted(parts.items()))
    assert not parts or len(whole) == size
    return whole, digest


def jpeg_with_extension(path, rgb, main, more, damaged=False):
    saved(path, rgb, main)
    data = path.read_bytes()
    digest = hashlib.md5(more).hexdigest().upper().encode()
    parts = []
    for place in range(0, len(more), 60_000):
        head = b"http://ns.adobe.com/xmp/extension/\0" + digest + struct.pack(">II", len(more), place)
        part = head + more[place : place + 60_000]
        parts.append(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part)
    # In any order.
    parts = parts[::-1][damaged:]
    path.write_bytes(data[:2] + b"".join(parts) + data[2:])
    return path


@pytest.mark.parametrize("target", TARGETS)
def test_xmp_that_is_longer_than_a_segment(tmp_path, rgb, target):
    more = packet(f'<hist:All xmlns:hist="u:h">{"x" * 200_000}</hist:All>')
    digest = hashlib.md5(more).hexdigest().upper()
    main = packet(
        '<dc:title><rdf:Alt><rdf:li xml:lang="de">Titel</rdf:li></rdf:Alt></dc:title>',
        f'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{digest}"',
    )
    path = jpeg_with_extension(tmp_path / "in.jpg", rgb, main, more)
    result, picture = through(path, target)
    assert picture.notes == []
    found = properties(xmp_of(result))
    assert found[f"{{{DC}}}title"] == ["Titel"]
    if target == "jpg":
        whole, named = extension(result)
        assert found["{http://ns.adobe.com/xmp/note/}HasExtendedXMP"] == [named.decode()]
        assert hashlib.md5(whole).hexdigest().upper() == named.decode()
        found = properties(whole)
    assert found["{u:h}All"] == ["x" * 200_000]
    jpeg_with_extension(path, rgb, main, more, damaged=True)
    result, picture = through(path, target)
    assert properties(xmp_of(result))[f"{{{DC}}}title"] == ["Titel"]
    assert [("damaged or missing" in note) for note in picture.notes] == [True]


ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">%s]>
<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description dc:a="&z;" xmlns:dc="u:d"/></r:RDF>"""
BAD = {
    "entities": ENTITIES % b"".join(b'<!ENTITY %c "&%c;&%c;&%c;">' % (i, i - 1, i - 1, i - 1) for i in range(98, 123)),
    "file": b'<!DOCTYPE r SYSTEM "/etc/passwd"><r/>',
    "cut": packet()[:500],
    "text": b"no packet at all",
    "no description": b"<r/>",
    "other letters": packet().decode().encode("utf-16"),
    "deep": b"<a>" * 100_000,
    "bytes": packet().replace(b"wedding", b"\xff\xfe\x80"),
    "large": packet(f"<dc:source>{'x' * 5_000_000}</dc:source>"),
}


@pytest.mark.parametrize("source", ["tif", "png", "webp", "jpg"])
@pytest.mark.parametrize("name", BAD)
def test_bad_xmp_never_costs_the_picture(tmp_path, rgb, source, name):
    if source == "jpg" and len(BAD[name]) > 65_000:
        pytest.skip("does not fit into a JPEG file")
    path = saved(tmp_path / f"in.{source}", rgb, BAD[name])
    start = time.monotonic()
    result, picture = through(path, "jpg")
    assert time.monotonic() - start < 5
    assert xmp_of(result) == b""
    assert [("left out" in note) for note in picture.notes] == [True]
    assert ("larger than 4 MB" in picture.notes[0]) == (name == "large")


def test_what_raises_while_it_is_read_is_left_out_with_a_note():
    notes = []
    assert metadata.of_bytes(b"Exif\0\0of neither order", notes) is None
    assert notes == ["its EXIF data is damaged and is left out"]
    notes = []
    assert captions.found(lambda: struct.unpack(">I", b"cut"), notes) == captions.Blocks()
    assert notes == ["its XMP and IPTC data is damaged and is left out"]
    assert captions.found(lambda: captions.Blocks(b"sound"), notes).xmp == b"sound" and len(notes) == 1


def test_too_little_memory_is_no_damage():
    def read():
        raise MemoryError

    with pytest.raises(MemoryError):
        metadata.unless_damaged(read, "EXIF data", [])


def test_a_packed_bomb_in_a_png_file_costs_neither_memory_nor_the_picture(tmp_path, rgb):
    path = saved(tmp_path / "in.png", np.dstack([rgb, rgb[..., 0]]))
    bomb = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(300_000_000), 9)
    data = with_chunk(path.read_bytes(), b"iTXt", bomb)
    # Behind the pixels, too.
    for content in (data, data[: -(len(bomb) // 10**9) - 12] + data[33 : 33 + 12 + len(bomb)] + data[-12:]):
        path.write_bytes(content)
        picture = formats.read(path)
        np.testing.assert_array_equal(picture.alpha, rgb[..., 0])
        assert ["larger than 4 MB" in note for note in picture.notes] == [True]


@pytest.mark.parametrize(("source", "target"), [("jpg", "jpg"), ("jpg", "tif"), ("tif", "tif"), ("tif", "jpg")])
def test_iptc_data_is_kept(tmp_path, rgb, source, target):
    result, picture = through(saved(tmp_path / f"in.{source}", rgb, iptc=IPTC), target)
    right = iptc_of(saved(tmp_path / "again.tif", rgb, iptc=IPTC))
    assert right.pop((2, 131)) == b"L"
    assert right.pop((2, 202)) == b"a small picture"
    assert iptc_of(result) == right
    assert right[2, 120] == CAPTION.encode() + b"\0"
    assert right[2, 25] == [b"wedding", b"Lodz"]
    assert picture.notes == []


def test_iptc_data_in_all_the_places_where_programs_put_it(tmp_path, rgb):
    right = iptc_of(through(saved(tmp_path / "in.tif", rgb, iptc=IPTC), "tif")[0])
    # Numbers of four bytes, as libtiff has them; padded.
    padded = IPTC + b"\0" * (-len(IPTC) % 4 + 4)
    numbers = (len(padded) // 4, padded)
    for order in "<>":
        words = struct.unpack(f"{order}{numbers[0]}I", padded)
        tags = [(IPTC_TAG, 4, numbers[0], words, True)]
        tifffile.imwrite(tmp_path / "in.tif", rgb, photometric="rgb", metadata=None, extratags=tags, byteorder=order)
        assert iptc_of(through(tmp_path / "in.tif", "jpg")[0]) == right
    block = resource(1028, IPTC)
    tags = [(34377, 7, len(block), block, True)]
    tifffile.imwrite(tmp_path / "in.tif", rgb, photometric="rgb", metadata=None, extratags=tags)
    assert iptc_of(through(tmp_path / "in.tif", "jpg")[0]) == right
    # ImageMagick's way in PNG files.
    text = b"\niptc\n%8d\n%s\n" % (len(block), block.hex().encode())
    for kind, content in ((b"tEXt", text), (b"zTXt", b"\0" + zlib.compress(text))):
        data = saved(tmp_path / "in.png", rgb).read_bytes()
        (tmp_path / "in.png").write_bytes(with_chunk(data, kind, b"Raw profile type iptc\0" + content))
        assert iptc_of(through(tmp_path / "in.png", "jpg")[0]) == right
    # Longer than a segment.
    long = IPTC + struct.pack(">BBBHI", 0x1C, 2, 121, 0x8004, 100_000) + b"x" * 100_000
    data = saved(tmp_path / "in.jpg", rgb).read_bytes()
    (tmp_path / "in.jpg").write_bytes(data[:2] + app13(long) + data[2:])
    result, picture = through(tmp_path / "in.jpg", "tif")
    with Image.open(result) as image:
        assert image.tag_v2[IPTC_TAG].endswith(b"x" * 100_000)
    assert picture.notes == []


@pytest.mark.parametrize("target", ["png", "webp"])
def test_what_a_format_does_not_hold_is_noted(tmp_path, rgb, target):
    _, picture = through(saved(tmp_path / "in.jpg", rgb, iptc=IPTC, comment=b"glass plate 7"), target)
    assert [note.split()[1] for note in picture.notes] == ["IPTC", "comment"]


@pytest.mark.parametrize("bad", [b"\x1c\2\5\xff\xffx", b"something else", IPTC[:-3], b"\x1c"])
def test_damaged_iptc_data_is_left_out_with_a_note(tmp_path, rgb, bad):
    for source in ("jpg", "tif"):
        result, picture = through(saved(tmp_path / f"in.{source}", rgb, iptc=bad), "jpg")
        assert iptc_of(result) == {}
        assert [("IPTC data is damaged" in note) for note in picture.notes] == [True]


def test_the_comment_of_a_jpeg_file_is_kept(tmp_path, rgb):
    for comment in (b"glass plate 7", "Glasplatte Łódź".encode(), b"x" * 65_533):
        result, picture = through(saved(tmp_path / "in.jpg", rgb, packet(), IPTC, comment), "jpg")
        with Image.open(result) as image:
            assert image.info["comment"] == comment
        assert picture.notes == []


def test_what_windows_writes_into_tiff_files_is_kept(tmp_path, rgb):
    """XPTitle, XPComment, XPAuthor, XPKeywords, XPSubject and a rating."""
    texts = {number: f"text {number} Łódź\0".encode("utf-16-le") for number in range(0x9C9B, 0x9CA0)}
    tags = [(number, 1, len(text), text, True) for number, text in texts.items()] + [(0x4746, 3, 1, 5, True)]
    tifffile.imwrite(tmp_path / "in.tif", rgb, photometric="rgb", metadata=None, extratags=tags)
    for target in ("tif", "jpg", "png", "webp"):
        result, _ = through(tmp_path / "in.tif", target)
        with Image.open(result) as image:
            exif = image.getexif()
            assert {number: bytes(exif[number]) for number in texts} == texts
            assert exif[0x4746] == 5


def test_xmp_of_the_other_formats(tmp_path, rgb):
    given = packet()
    right = properties(given)
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(rgb)).save(file, xmp=given)
    box = struct.pack(">I4s", 24 + len(given), b"uuid") + bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + given
    jp2 = imagecodecs.jpeg2k_encode(rgb, level=0, codecformat="jp2")
    jxl = imagecodecs.jpegxl_encode(rgb, usecontainer=True)
    avif = io.BytesIO()
    Image.fromarray(rgb).save(avif, "AVIF", xmp=given)
    made = {
        "heic": file.getvalue(),
        # Another one's text before it.
        "jp2": jp2 + struct.pack(">I4s", 12, b"xml ") + b"<a/>" + box,
        "jxl": jxl + struct.pack(">I4s", 8 + len(given), b"xml ") + given,
        "avif": avif.getvalue(),
        "psd": psd(planes(rgb), "rgb", 8, resources=resource(1060, given) + resource(1028, IPTC)),
    }
    for name, data in made.items():
        (tmp_path / f"in.{name}").write_bytes(data)
        result, picture = through(tmp_path / f"in.{name}", "jpg")
        assert properties(xmp_of(result)) == right, name
        assert picture.notes == [], name
        assert bool(iptc_of(result)) == (name == "psd"), name


def test_the_picture_is_the_same_with_and_without(tmp_path, rgb):
    for target in TARGETS:
        plain, _ = through(saved(tmp_path / "in.png", rgb), target)
        values = np.asarray(Image.open(plain))
        full, _ = through(saved(tmp_path / "in.jpg", rgb, packet(), IPTC, b"a comment"), target)
        assert np.asarray(Image.open(full)).shape == values.shape
        full, _ = through(saved(tmp_path / "in.png", rgb, packet()), target)
        np.testing.assert_array_equal(np.asarray(Image.open(full)), values)


@pytest.mark.parametrize("behind", ["", "\n ", "<!-- > -->"])
def test_descriptions_of_attributes_alone_are_kept(tmp_path, rgb, behind):
    text = "scanned with tiff:Orientation='6' and tiff:Make=\"x\""
    value = text.replace('"', "&quot;")
    given = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">{behind}
 <rdf:Description rdf:about="" xmlns:dc="{DC}" xmlns:tiff="{TIFF}" dc:format="{value}" tiff:Orientation="6"/>{behind}
 <rdf:Description rdf:about="" xmlns:dc="{DC}"><dc:source rdf:resource="a"/>{behind}<dc:type/></rdf:Description>{behind}
</rdf:RDF></x:xmpmeta>""".encode()
    result, picture = through(saved(tmp_path / "in.jpg", rgb, given), "jpg")
    assert properties(xmp_of(result)) == {f"{{{DC}}}format": [text], f"{{{DC}}}source": [], f"{{{DC}}}type": []}
    assert xmp_of(result).count(b"<rdf:Description") == 2
    assert picture.notes == []


def test_a_tag_of_spaces_takes_no_time(tmp_path, rgb):
    spaces = " " * 1_000_000
    attributes = f'{spaces}dc:format="x"{spaces}tiff:Orientation="6"{spaces}'
    start = time.process_time()
    result, picture = through(saved(tmp_path / "in.png", rgb, packet(attributes=attributes)), "png")
    assert time.process_time() - start < 5
    assert properties(xmp_of(result))[f"{{{DC}}}format"] == ["x"]
    assert picture.notes == []


def test_a_file_of_several_pictures_keeps_the_data_of_the_first(tmp_path, rgb):
    # As telephones and cameras write them; Pillow has another name for these JPEG files.
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "MPO", save_all=True, append_images=[Image.fromarray(rgb)], xmp=packet())
    data = file.getvalue()
    path = tmp_path / "in.jpg"
    path.write_bytes(data[:2] + app13(IPTC) + data[2:])
    with Image.open(path) as image:
        assert image.format == "MPO"
    result, picture = through(path, "jpg")
    assert iptc_of(result)[2, 5] == b"a title"
    assert properties(xmp_of(result)) == properties(packet())
    assert picture.notes == []


def test_several_comments_of_a_jpeg_file_become_one(tmp_path, rgb):
    long = b"x" * 65_533 + b"y" * 10
    data = saved(tmp_path / "in.jpg", rgb, comment=b"the last\0").read_bytes()
    parts = [b"the first\0", long[:65_533], long[65_533:]]
    segments = b"".join(b"\xff\xfe" + struct.pack(">H", len(part) + 2) + part for part in parts)
    (tmp_path / "in.jpg").write_bytes(data[:2] + segments + data[2:])
    result, _ = through(tmp_path / "in.jpg", "jpg")
    assert formats.read(result).captions.comment == b"the first\n" + long + b"\nthe last"
