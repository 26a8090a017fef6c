"""A film's chrominance over time: the cuts between its shots, and colours that hold still within a shot."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import cv2
import numpy as np
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

Item = TypeVar("Item")

CUT_WINDOW = 2
"""Whether a frame begins a shot follows from the change to it against that of so many frames before and after it."""

LOOK_BACK = CUT_WINDOW + 1
"""So many frames before a frame have to be seen for `find_cuts` to judge it as if it had seen all."""


def find_cuts(items: Iterable[Item], luminance: Callable[[Item], np.ndarray]) -> Iterator[tuple[Item, bool]]:
    """Yields each frame with whether it is the first of a shot; `CUT_WINDOW` frames are held back.

    PySceneDetect's adaptive detector: a cut changes the picture far more than the frames around it, motion does not.
    The first and the last `CUT_WINDOW` frames count as no cuts.

    Args:
        items: frames in order.
        luminance: gives the L of a frame, uint8 (height, width).
    """
    detector = AdaptiveDetector(min_scene_len=0, window_width=CUT_WINDOW, luma_only=True)
    waiting = deque()
    for number, item in enumerate(items):
        waiting.append(item)
        # The detector counts frames only; their true times do not matter to it.
        cuts = detector.process_frame(FrameTimecode(number, fps=25.0), np.dstack([luminance(item)] * 3))
        if number >= CUT_WINDOW:
            yield waiting.popleft(), any(cut.frame_num == number - CUT_WINDOW for cut in cuts)
    for item in waiting:
        yield item, False


class Steadier:
    """Averages each frame's chrominance with the one before, moved along the motion of the luminance.

    A recursive filter: ab <- weight * (ab before, moved) + (1 - weight) * (ab as predicted). The weight of a pixel is
    the steadiness times how well the luminance there is explained by the motion; so what was hidden, or an unseen cut,
    gets its own colours at once.

    Args:
        steadiness: 0 leaves every frame as predicted; near 1 colours hardly change within a shot.

    Attributes:
        luminance: of the frame before, uint8 (height, width); None before the first.
        ab: of the frame before, as steadied, float32 (height, width, 2).
    """

    def __init__(self, steadiness: float):
        self.steadiness = steadiness
        self.luminance: np.ndarray | None = None
        self.ab: np.ndarray | None = None
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def __call__(self, luminance: np.ndarray, ab: np.ndarray, cut: bool) -> np.ndarray:
        """The steadied ab (height, width, 2) of the next frame.

        Args:
            luminance: uint8 (height, width).
            ab: as predicted, float32 (height, width, 2).
            cut: whether the frame is the first of a shot.
        """
        if self.steadiness and self.ab is not None and not cut:
            moved, trust = align(self._flow, luminance, self.luminance, self.ab)
            weight = np.float32(self.steadiness) * trust[..., None]
            ab = weight * moved + (1 - weight) * ab
        self.luminance, self.ab = luminance, ab
        return ab


_NOISE = 6.0
"""Levels of luminance by which a pixel and what moved there may differ and still be the same thing."""


def align(
    flow: cv2.DenseOpticalFlow, luminance: np.ndarray, before: np.ndarray, ab: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Moves the chrominance of the frame before to where its things are now.

    Args:
        flow: the method that finds the motion.
        luminance: L of this frame, uint8 (height, width).
        before: luminance of the frame before, uint8 (height, width).
        ab: chrominance of the frame before, float32 (height, width, 2) in 0..1.

    Returns:
        The moved ab (height, width, 2), and for each pixel how far it can be trusted, 0..1 (height, width), float32.
    """
    height, width = luminance.shape
    where = flow.calc(luminance, before, None)
    where += np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    moved = cv2.remap(ab, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    explained = cv2.remap(before, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # A little smoothed: single pixels of grain say nothing.
    difference = cv2.blur(cv2.absdiff(luminance, explained).astype(np.float32), (3, 3))
    return moved, np.exp(-((difference / np.float32(_NOISE)) ** 2) / 2)
