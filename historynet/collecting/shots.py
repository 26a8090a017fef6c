"""What became of the shots of a film of which some frames each are taken: all frames, kept or not, and why."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from historynet.collecting.adjusting import Adjustment
from historynet.collecting.records import Record
from historynet.collecting.sampling import Crop, Shot

TRAINING, TEST = "train", "test"
"""The folders of the pictures. A film is in one of them as a whole."""

KEPT, DARK, COLOURLESS = "kept", "dark", "no colour"
"""What becomes of a frame."""


@dataclass(frozen=True)
class Analysis:
    """What a film's first reading gives.

    Attributes:
        rate: frames a second.
        crop: its black bars.
        shots: in order.
        adjustments: one for each shot.
    """

    rate: float
    crop: Crop
    shots: Sequence[Shot]
    adjustments: Sequence[Adjustment]


@dataclass(frozen=True)
class Frame:
    """A frame that stands for its shot with some others.

    Attributes:
        shot: its number, from 1.
        frame: its number among those of the shot, from 1.
        time: in seconds from the film's beginning.
        luminance: mean of L after the adjustment, 0..1.
        tint: how far it is from one tone (`toning.tint`).
        outcome: KEPT, DARK or COLOURLESS.
    """

    shot: int
    frame: int
    time: float
    luminance: float
    tint: float
    outcome: str


@dataclass
class ShotsRecord(Record):
    """What became of a film of which some frames of each shot are taken.

    Attributes:
        part: TRAINING or TEST.
        analysis: of the first reading.
        frames: of the second; None if that is not at its end yet.
    """

    part: str
    analysis: Analysis
    frames: Sequence[Frame] | None = None

    PARTS: ClassVar[tuple[str, str]] = (TRAINING, TEST)
    PICTURE: ClassVar[str] = r"_s\d{5,}_f\d\.jpg"
    COLUMNS: ClassVar[tuple[str, ...]] = (
        *("film", "part", "shot", "frame", "time", "gain_red", "gain_green", "gain_blue", "lo", "scale", "mean_L"),
        *("tint", "outcome", "picture"),
    )
    IN_TABLE: ClassVar[str] = "all frames, and why those are left out that are"

    @classmethod
    def restore(cls, content: dict[str, Any], path: Path) -> Self:
        of_film = content.pop("analysis")
        analysis = Analysis(
            of_film["rate"],
            Crop(**of_film["crop"]),
            [Shot(**shot) for shot in of_film["shots"]],
            [Adjustment(**{**one, "gains": tuple(one["gains"])}) for one in of_film["adjustments"]],
        )
        frames = content.pop("frames")
        frames = frames if frames is None else [Frame(**frame) for frame in frames]
        return cls(**content, analysis=analysis, frames=frames)

    def picture(self, frame: Frame) -> str:
        """The name of a frame's picture."""
        return f"{self.film}_s{frame.shot:05}_f{frame.frame}.jpg"

    def pictures(self) -> dict[str, str]:
        return {self.picture(frame): self.part for frame in self.frames or () if frame.outcome == KEPT}

    def assign(self, is_test: bool, options: Any) -> None:
        self.part = self.PARTS[is_test]

    def rows(self) -> Iterator[Sequence[Any]]:
        for frame in self.frames or ():
            done = self.analysis.adjustments[frame.shot - 1]
            values = (*done.gains, done.lo, done.scale, frame.luminance, frame.tint)
            place = [self.film, self.part, frame.shot, frame.frame, f"{frame.time:.3f}"]
            picture = f"{self.part}/{self.picture(frame)}" if frame.outcome == KEPT else ""
            yield [*place, *(f"{value:.6f}" for value in values), frame.outcome, picture]

    def _outcomes(self) -> Counter[str]:
        """How many frames there are of each outcome."""
        return Counter(frame.outcome for frame in self.frames or ())

    def summary(self) -> str:
        counts = self._outcomes()
        others = "".join(f", {count} {outcome}" for outcome, count in sorted(counts.items()) if outcome != KEPT)
        return f"{len(self.analysis.shots)} shots, {counts[KEPT]} frames kept{others}"

    def why_none(self) -> str | None:
        counts = self._outcomes()
        if counts[KEPT]:
            return None
        if not self.frames:
            return f"no shot of it lasts a second ({len(self.analysis.shots)} shots)"
        why = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        hint = "; a black-and-white film?" if counts[COLOURLESS] > counts[DARK] else ""
        return f"none of its frames is kept ({why}{hint})"
