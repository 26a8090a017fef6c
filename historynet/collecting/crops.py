"""A person's part of a picture in a parser's proportions, and a parser's answer back in the picture."""

from dataclasses import dataclass

import cv2
import numpy as np

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class Place:
    """Where a crop is from.

    Attributes:
        left: first column of the box within the picture.
        top: its first row.
        right: the column behind it.
        bottom: the row behind it.
        before: pixels added by reflection above and to the left of the box, (rows, columns).
        behind: the same below and to the right.
    """

    left: int
    top: int
    right: int
    bottom: int
    before: tuple[int, int] = (0, 0)
    behind: tuple[int, int] = (0, 0)

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """The crop of a picture (height, width, ...), at its own size."""
        part = picture[self.top : self.bottom, self.left : self.right]
        if not any(self.before + self.behind):
            return part
        (above, left), (below, right) = self.before, self.behind
        return cv2.copyMakeBorder(part, above, below, left, right, cv2.BORDER_REFLECT_101)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the crop."""
        height, width = self.bottom - self.top, self.right - self.left
        return height + self.before[0] + self.behind[0], width + self.before[1] + self.behind[1]

    def put_back(self, answer: np.ndarray) -> np.ndarray:
        """What was found of the crop, float32 (rows, columns, channels), at the size of the box, bilinearly."""
        (above, left), height, width = self.before, self.bottom - self.top, self.right - self.left
        whole = cv2.resize(answer, self.size[::-1], interpolation=cv2.INTER_LINEAR)
        return whole[above : above + height, left : left + width]


def place(box: Box, margin: float, picture: tuple[int, int], proportions: tuple[int, int]) -> Place:
    """The crop of a person.

    Args:
        box: of the person.
        margin: by how much of its sides the box is grown on each side, as far as the picture goes.
        picture: its (height, width).
        proportions: (height, width) that the crop is to be similar to.
    """
    height, width = picture
    across, down = margin * (box[2] - box[0]), margin * (box[3] - box[1])
    left, top = max(0, round(box[0] - across)), max(0, round(box[1] - down))
    # One pixel at least, within the picture.
    left, top = min(left, width - 1), min(top, height - 1)
    right = min(width, max(left + 1, round(box[2] + across)))
    bottom = min(height, max(top + 1, round(box[3] + down)))
    rows = max(0, round((right - left) * proportions[0] / proportions[1]) - (bottom - top))
    columns = max(0, round((bottom - top) * proportions[1] / proportions[0]) - (right - left))
    before = rows // 2, columns // 2
    return Place(left, top, right, bottom, before, (rows - before[0], columns - before[1]))


def fit(crop: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A crop as a parser of (height, width) `size` sees it."""
    smaller = crop.shape[0] > size[0]
    return cv2.resize(crop, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
