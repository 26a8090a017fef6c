"""One picture of a file on its way to its result."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from historynet.colorizing.beside import Beside
from historynet.colorizing.records import Source
from historynet.colorizing.reporting import Outcome
from historynet.pictures import formats, print_area, toning

_BORDER = "a border stays as it is, and the print within is coloured (--no-borders colours all)"

KEPT, _TONED, _COLORED = "kept: coloured already", "toned print: coloured anew", "coloured already: coloured anew"
"""What is said of a picture that is not gray."""


@dataclass
class Job:
    """One picture of a file on its way through the stages.

    Attributes:
        path: of the picture's or film's file.
        result: the file to write.
        page: the picture's number in its file, from 0.
        last: whether it is the file's last picture.
        megapixels: its size by the file's header; 0 if that cannot be read.
        picture: its content, from reading to writing.
        luminance: L as the network sees it, float32 (height, width, 1) in 0..1.
        ab: as predicted, float32 (height, width, 2) in 0..1.
        inside: where the print lies in the picture, as of `print_area.find_print`; None: everywhere.
        outputs: the network's, if there is something to make of them beside the result.
        beside: the files beside the result.
        kept: files of the picture that are there already and stay.
        made: what became of the files beside the result.
        existing: whether it is passed over because its result exists.
        colored: whether it is left as it is because it has colour.
        tint: how far it is from having one tone only; None before it is read.
        tone: what that makes of it, one of `toning.GRAY`, `TONED` and `COLORED`.
        nearly_gray: whether hardly any colours were predicted.
        written: whether its result is written.
        skipped: why it is skipped.
        source: what its file was when it was read, if that is recorded.
        notes: what there is to say of a result that was there already.
    """

    path: Path
    result: Path
    page: int = 0
    last: bool = True
    megapixels: float = 0.0
    picture: formats.Picture | None = None
    luminance: np.ndarray | None = None
    ab: np.ndarray | None = None
    inside: np.ndarray | None = None
    outputs: dict[str, np.ndarray] | None = None
    beside: Beside = Beside()
    kept: set[Path] = field(default_factory=set)
    made: list[Outcome] = field(default_factory=list)
    existing: bool = False
    colored: bool = False
    tint: float | None = None
    tone: str = toning.GRAY
    nearly_gray: bool = False
    written: bool = False
    skipped: str | None = None
    source: Source | None = None
    notes: list[str] = field(default_factory=list)

    def remarks(self, keep_colored: bool) -> tuple[list[str], list[str]]:
        """What there is to say of a result: in a note for all that it is said of, and of the picture by itself."""
        notes, why = list(self.picture.notes), list(self.picture.notes)
        if self.inside is not None:
            notes.append(_BORDER)
            why.append(f"a border of {print_area.border_share(self.inside):.0%} stays as it is")
        if self.tone != toning.GRAY:
            said = _TONED if self.tone == toning.TONED else _COLORED
            why.append(said)
            # Elsewhere it is no news: all pictures are coloured.
            notes += [said] * keep_colored
        return notes, why
