"""The viewers' survey of the films CNN's paper (Figure 8): the page that viewers answer.

"Do you believe this image is from color films?" is asked of pictures of several types: colorizations by several
methods, and frames of colour films.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from historynet import files
from historynet.colorizing.results import SUFFIX
from historynet.errors import InputError
from historynet.pictures import figures, formats, images

APART = 5
"""Two versions of a picture are at least so many places apart; the page has the same number."""

_PAGE = Path(__file__).with_name("survey_page.html")
_BEFORE, _AFTER = '<script type="application/json" id="survey">', "</script>"
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
"""A colour for each pixel: colours are what is judged."""


class Shown(NamedTuple):
    """A picture of a survey: its type, and its name without "_reconstructed" and extension."""

    type: str
    name: str


@dataclass(frozen=True)
class Survey:
    """What a page asks about.

    Attributes:
        identity: follows from the pictures, their names and types.
        types: in the figure's order.
        truth: the type whose pictures are no versions of the others'; None if there is none.
        pictures: in the order in which the page holds them.
    """

    identity: str
    types: tuple[str, ...]
    truth: str | None
    pictures: tuple[Shown, ...]

    def order(self, participant: str) -> list[Shown]:
        """The pictures as the page shows them to a participant; versions of one are `APART` places apart.

        Args:
            participant: the code that he or she has entered, in lower case.
        """
        draw = _drawing(f"{self.identity}:{participant}")
        left, order = list(self.pictures), []
        while left:
            counts = Counter(map(self._group, left))
            most = max(counts.values())
            # The pictures with most versions left must come now if there would be too few places for them later.
            urgent = (most - 1) * APART + list(counts.values()).count(most) >= len(left)
            recent = {self._group(shown) for shown in order[1 - APART :]}
            groups = {group for group, count in counts.items() if group not in recent and (count == most or not urgent)}
            allowed = [shown for shown in left if self._group(shown) in groups]
            # First the type, of all that are left: so each type has the same chance at each place.
            kind = left[draw(len(left))].type
            allowed = [shown for shown in allowed if shown.type == kind] or allowed
            order.append(allowed[draw(len(allowed))])
            left.remove(order[-1])
        return order

    def _group(self, shown: Shown) -> tuple[bool, str]:
        """Equal for the versions of one picture."""
        return shown.type == self.truth, shown.name


def _drawing(text: str) -> Callable[[int], int]:
    """A function that draws whole numbers from 0 to n - 1, which follow from a text (FNV-1a, then mulberry32)."""
    bits = 0xFFFFFFFF
    state = 0x811C9DC5
    for byte in text.encode():
        state = (state ^ byte) * 0x01000193 & bits

    def draw(n: int) -> int:
        nonlocal state
        state = state + 0x6D2B79F5 & bits
        mixed = (state ^ state >> 15) * (1 | state) & bits
        mixed = mixed + (mixed ^ mixed >> 7) * (61 | mixed) & bits ^ mixed
        return (mixed ^ mixed >> 14) * n >> 32

    return draw


def choose(folders: Mapping[str, Path], truth: str | None, count: int, seed: int) -> dict[Shown, Path]:
    """The pictures of a survey: the same of each type but the truth, drawn if there are more.

    Args:
        folders: by type. A picture's versions have one name, but for "_reconstructed" and the extension.
        truth: the type whose pictures are its own; None if there is none.
        count: pictures a type, at least `APART`.
        seed: of the draw.

    Raises:
        InputError: if a folder has no pictures, too few, others than the other types, or two of one name.
    """
    if truth is not None and truth not in folders:
        raise InputError(f"{truth}: no type is called so, but {', '.join(folders)}; the truth is one of them")
    found = {kind: _by_name(folder) for kind, folder in folders.items()}
    paired = [kind for kind in folders if kind != truth]
    for kind in paired[1:]:
        for one, other in ((paired[0], kind), (kind, paired[0])):
            if lacking := sorted(found[one].keys() - found[other].keys()):
                names = ", ".join(lacking[:5]) + (", ..." if len(lacking) > 5 else "")
                raise InputError(
                    f"{folders[other]}: {len(lacking)} pictures of {folders[one]} are missing here ({names}); all "
                    "types have the same pictures, but the one that --truth names"
                )
    for kind, pictures in found.items():
        if len(pictures) < count:
            raise InputError(f"{folders[kind]}: {len(pictures)} pictures, {count} are needed (--pictures)")
    rng = np.random.default_rng(seed)
    drawn = {}
    for kinds in (paired, [truth] if truth is not None else []):
        if kinds:
            names = sorted(str(name) for name in rng.choice(sorted(found[kinds[0]]), count, replace=False))
            drawn |= {Shown(kind, name): found[kind][name] for kind in kinds for name in names}
    # Not in their order: whoever looks into the page sees no types.
    order = list(drawn)
    return {order[i]: drawn[order[i]] for i in rng.permutation(len(order))}


def _by_name(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by their names without "_reconstructed" and extension."""
    found = {}
    for file in images.list_pictures(folder):
        name = Path(file).stem.removesuffix(SUFFIX)
        if not name.isprintable():
            raise InputError(f"{folder / file}: a name that is no text; rename the file")
        if name in found:
            raise InputError(f"{folder}: {found[name].name} and {file} are both {name}; keep one of them")
        found[name] = folder / file
    return found


def write_page(
    path: Path,
    chosen: Mapping[Shown, Path],
    types: Sequence[str],
    truth: str | None,
    side: int,
    progress: Callable[[int], object] = lambda count: None,
) -> list[str]:
    """Writes the page: one HTML file that needs no other and asks for none.

    Args:
        path: the file to write.
        chosen: the pictures' files.
        types: all types, in the figure's order.
        truth: one of them, or None.
        side: pixels that the longer side of an embedded picture has at most.
        progress: called with the number of pictures just embedded.

    Returns:
        What might give a type away: pictures whose versions differ in size, a line each.

    Raises:
        InputError: if a picture cannot be read, or the page not be written.
    """
    encoded, sizes = [], {}
    for shown, file in chosen.items():
        picture = formats.read(file).rgb
        height, width = picture.shape[:2]
        if shown.type != truth:
            sizes.setdefault(shown.name, {})[shown.type] = f"{width}x{height}"
        if max(height, width) > side:
            factor = side / max(height, width)
            picture = figures.shrink(picture, max(1, round(height * factor)), max(1, round(width * factor)))
        # What else the file holds, its camera or its program, does not come with the pixels.
        encoded.append(base64.b64encode(images.encode(file.with_suffix(".jpg"), picture, _JPEG)).decode())
        progress(1)
    key = json.dumps({"types": list(types), "truth": truth, "pictures": [list(shown) for shown in chosen]})
    identity = hashlib.sha256("\n".join([key, *encoded]).encode()).hexdigest()[:12]
    content = {"id": identity, "key": base64.b64encode(key.encode()).decode(), "pictures": encoded}
    page = _PAGE.read_text(encoding="utf-8").replace("__SURVEY__", json.dumps(content))
    files.write_text(path, page)
    return [
        f"{name}: {', '.join(f'{found[kind]} ({kind})' for kind in types if kind in found)}"
        for name, found in sorted(sizes.items())
        if len(set(found.values())) > 1
    ]


def read_page(path: Path) -> Survey:
    """The survey that a page holds.

    Raises:
        InputError: if it cannot be read, or is no page of `write_page`.
    """
    with files.reading(path):
        data = path.read_bytes()
    try:
        content = json.loads(data.decode().split(_BEFORE)[1].split(_AFTER)[0])
        key = json.loads(base64.b64decode(content["key"], validate=True))
        pictures = tuple(Shown(str(kind), str(name)) for kind, name in key["pictures"])
        return Survey(str(content["id"]), tuple(map(str, key["types"])), key["truth"], pictures)
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{path}: no page of this survey; it is what `survey.py page` has written") from error
