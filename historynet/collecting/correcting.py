"""Masks to be corrected by hand in any editor, and back: what an editor did to the palette does not matter."""

import contextlib
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from historynet import files
from historynet.collecting import manifest, masks, parts
from historynet.collecting.manifest import Picture
from historynet.collecting.masks import BY_HAND, Made
from historynet.errors import InputError, PictureError
from historynet.pictures import images

_LEGEND, _PALETTE = "parts.png", "parts.gpl"

_NEAR = 8
"""Levels of the farthest channel that a colour may be away from the palette's."""

_MOST = 0.001
"""Share of a picture's pixels that may be farther away."""

_SHADES = 40
"""Different colours besides the palette's, at most: what is smooth has more, and in "levels" none of them is far."""

_LOSSLESS = (".png", ".bmp", ".tif", ".tiff", ".webp")


def check_palette(palette: str) -> None:
    """Sees that a palette tells the parts apart.

    Raises:
        InputError: if it does not.
    """
    if palette == "deeplab":
        raise InputError("--palette deeplab: draws all parts alike; correct them with --palette levels or cihp")


def export(work: Path, pictures: Sequence[Picture], palette: str, folder: Path) -> None:
    """Writes masks and pictures into a folder for an editor: NAME.png, NAME.jpg, a palette and a legend.

    Args:
        work: the folder WORK.
        pictures: that have masks.
        palette: that the masks are drawn in.
        folder: new, or empty: what somebody is working on there is not touched.

    Raises:
        InputError: if there is something in the folder, or something cannot be read or written.
    """
    if files.list_folder(folder):
        raise InputError(f"{folder}: is not empty; name a new folder, so that nobody's work is lost")
    try:
        _export(work, pictures, palette, folder)
    except (InputError, KeyboardInterrupt):
        # Part of it would look like all, and the folder would not be taken again.
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                path.unlink()
        raise


def _export(work: Path, pictures: Sequence[Picture], palette: str, folder: Path) -> None:
    for picture in pictures:
        path = manifest.path_of(work, picture)
        with files.reading(path):
            data = path.read_bytes()
        files.write_atomically(folder / picture.picture, lambda temporary, data=data: temporary.write_bytes(data))
        masks.write(folder / f"{path.stem}.png", masks.read(manifest.mask_of(work, picture)), palette)
    colours = parts.PALETTES[palette][: parts.PERSON]
    lines = [
        f"{red:3} {green:3} {blue:3}\t{name}" for (red, green, blue), name in zip(colours, parts.NAMES, strict=True)
    ]
    files.write_text(folder / _PALETTE, "\n".join(["GIMP Palette", "Name: parts", "Columns: 1", "#", *lines, ""]))
    rows = [
        [np.full((24, 48, 3), colour, np.uint8), _caption(name)]
        for name, colour in zip(parts.NAMES, colours, strict=True)
    ]
    images.write_rgb(folder / _LEGEND, np.concatenate([np.concatenate(row, axis=1) for row in rows]))


def _caption(text: str) -> np.ndarray:
    """A text, black on white, uint8 RGB (24, 160, 3)."""
    page = np.full((24, 160, 3), 255, np.uint8)
    return cv2.putText(page, text, (8, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)


@dataclass(frozen=True)
class Imported:
    """What became of a folder's masks.

    Attributes:
        changed: pixels that were changed, by picture.
        notes: of colours that were near the palette's, for people.
        refused: why masks were refused, for people.
    """

    changed: Mapping[str, int]
    notes: Sequence[str]
    refused: Sequence[str]


def import_folder(work: Path, pictures: Sequence[Picture], palette: str, by: str, folder: Path) -> Imported:
    """Takes corrected masks back. Each that is refused leaves the mask as it was; the others are taken.

    Args:
        work: the folder WORK.
        pictures: all that are kept.
        palette: that they are drawn in.
        by: who corrected them.
        folder: as `export` made it.

    Raises:
        InputError: if the folder holds no masks, or something cannot be written.
    """
    known = {Path(picture.picture).stem: picture for picture in pictures}
    found, refused = _find(work, known, folder)
    if not found and not refused:
        raise InputError(f"{folder}: holds no masks of pictures; `parse.py export N FOLDER` makes such a folder")
    table, changed, notes = masks.read_table(work), {}, []
    for stem, path in found.items():
        picture = known[stem]
        mask = manifest.mask_of(work, picture)
        try:
            indices, note = read_corrected(path, parts.PALETTES[palette][: parts.PERSON])
            size = images.read_rgb(manifest.path_of(work, picture)).shape[:2]
            if indices.shape != size:
                (rows, columns), (height, width) = indices.shape, size
                raise PictureError(f"{path}: {columns}x{rows} pixels, but the picture has {width}x{height}")
            before = masks.read(mask) if mask.exists() else np.zeros_like(indices)
        except PictureError as error:
            refused.append(str(error))
            continue
        notes += [note] if note else []
        changed[picture.picture] = int(np.count_nonzero(indices != before))
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        # The table first: a mask that it calls a hand's is never overwritten.
        table[picture.picture] = Made(f"{BY_HAND}{by}", now, changed[picture.picture])
        masks.write_made(work / masks.TABLE, table)
        masks.write(mask, indices, palette)
    return Imported(changed, notes, refused)


def _find(work: Path, known: Mapping[str, Picture], folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The files of the masks by the pictures' stems, and what is none, for people."""
    found: dict[str, Path] = {}
    refused = []
    for name in images.list_pictures(folder, or_none=True):
        path = folder / name
        if name == _LEGEND:
            continue
        if path.stem not in known:
            refused.append(f"{path}: no kept picture is called so")
        elif path.suffix.lower() in _LOSSLESS:
            if path.stem in found:
                refused.append(f"{path}: is there a second time, as {found[path.stem].name}; remove one of them")
            found.setdefault(path.stem, path)
    for name in images.list_pictures(folder, or_none=True):
        path = folder / name
        # What is not the picture any more was saved over it.
        if path.stem in known and path.stem not in found:
            original = manifest.path_of(work, known[path.stem])
            if images.read_bytes(path) != images.read_bytes(original):
                found[path.stem] = path
    return found, refused


def read_corrected(path: Path, colours: np.ndarray) -> tuple[np.ndarray, str]:
    """A mask that an editor wrote: indices of its colours, uint8 (height, width), and what there is to say of it.

    Args:
        path: the file.
        colours: of the parts, uint8 (parts, 3), no two alike.

    Raises:
        PictureError: if it cannot be read, is transparent somewhere, or has other colours in more than a thousandth of
            its pixels, or very many of them; with the place of the first.
    """
    data = images.read_bytes(path)
    rgb = images.decode(data, path)
    whole = images.decode(data, path, cv2.IMREAD_UNCHANGED)
    if whole.ndim == 3 and whole.shape[2] == 4 and (clear := whole[..., 3] < np.iinfo(whole.dtype).max).any():
        raise PictureError(f"{path}: transparent at {_place(clear)}; give each pixel a part, 'background' for none")
    indices = parts.find_exactly(rgb, colours)
    other = indices < 0
    if not other.any():
        return indices.astype(np.uint8), ""
    apart = np.abs(rgb[other].astype(int)[:, None] - colours.astype(int)).max(axis=2)
    indices[other] = apart.argmin(axis=1)
    far = np.zeros_like(other)
    far[other] = apart.min(axis=1) > _NEAR
    wrong = far if far.sum() > _MOST * far.size else other
    if wrong is far or len(np.unique(rgb[other], axis=0)) > _SHADES:
        red, green, blue = rgb[wrong][0]
        raise PictureError(
            f"{path}: {wrong.sum()} pixels have no part's colour, the first at {_place(wrong)} ({red} {green} {blue}); "
            "save masks without loss and without smooth edges, as PNG"
        )
    return indices.astype(np.uint8), f"{path}: {other.sum()} pixels had nearly a part's colour and got it"


def _place(where: np.ndarray) -> str:
    row, column = np.argwhere(where)[0]
    return f"column {column}, row {row}"
