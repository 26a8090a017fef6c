"""A film's frames as planes of luma, and luma as gray levels: what the first frame says of all, and what differs."""

from collections.abc import Callable
from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange

from historynet.pictures import color

_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"}
"""The ways from RGB to YUV that libav's scaler knows, by their number in H.273."""

HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}
"""Transfer functions of H.273 by their number."""


class Planes:
    """What a film's first frame says of all: size, rotation, colours; and the luma of each, in the result's form.

    Args:
        frame: the first.
        stream: that it is of.
        pixel_format: of the result, one of `options.PIXEL_FORMATS`.

    Attributes:
        pixel_format: of the result, as libav names it.
        deep: whether the result has 10 bits.
        shape: (height, width) of a luma plane that `luma` gives; both even.
        aspect: width of a pixel by its height, None if the file does not say.
        tags: colour range, matrix, primaries and transfer function, numbers as in H.273, for the result.
        notes: what the result does not keep.
    """

    def __init__(self, frame: av.VideoFrame, stream: av.VideoStream, pixel_format: str):
        self.deep = pixel_format.endswith("10")
        self.pixel_format = f"{pixel_format}le" if self.deep else pixel_format
        self._size = frame.width, frame.height
        self._rotation = round(frame.rotation / 90) % 4
        # Where nothing else is said, gray and yuvj formats are of full range.
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        full |= frame.format.name.startswith("gray") and frame.color_range != ColorRange.MPEG
        # Players, too, guess the matrix by the size.
        large = frame.width >= 1280 or frame.height > 576
        matrix = frame.colorspace if frame.colorspace in _MATRICES else 1 if large else 6
        context = stream.codec_context
        range_ = int(ColorRange.JPEG if full else ColorRange.MPEG)
        self.tags: tuple[int, int, int, int] = range_, matrix, context.color_primaries, context.color_trc
        aspect = stream.sample_aspect_ratio
        self._aspect = aspect or Fraction(1)
        self._own_aspect = context.sample_aspect_ratio
        self.aspect: Fraction | None = 1 / aspect if aspect and self._rotation % 2 else aspect
        self.shape: tuple[int, int] = self.luma(frame).shape
        self.notes = list(self._lost(frame))

    def _lost(self, frame: av.VideoFrame):
        width, height = self._size
        if width % 2 or height % 2:
            yield (
                f"its frames have an odd size, {width}x{height}; the last row or column is doubled, "
                "since encoders take even sizes"
            )
        if self._rotation:
            yield "its frames are turned upright, as players show them"
        bits = frame.format.components[0].bits
        depth = 10 if self.deep else 8
        if bits > depth:
            more = "" if self.deep else " (--pixel-format yuv420p10 keeps 10)"
            yield f"its values of {bits} bits are cut to {depth}{more}"
        curve = HIGH_DYNAMIC_RANGE.get(self.tags[3])
        if curve:
            yield f"it is HDR ({curve}); its luma is kept as it is, the mastering display's data are left out"

    def differs(self, frame: av.VideoFrame, own_aspect: Fraction | None) -> bool:
        """Whether a frame has another size or shape of pixels than the first.

        Args:
            frame: the frame.
            own_aspect: of its pixels, as its decoder says.
        """
        return (frame.width, frame.height) != self._size or self._pixels(own_aspect) != self._aspect

    def _pixels(self, own_aspect: Fraction | None) -> Fraction:
        """A frame's pixel aspect: the container's word for the first, and what has changed since by the decoder's."""
        if own_aspect and self._own_aspect:
            return self._aspect * own_aspect / self._own_aspect
        return self._aspect

    def luma(self, frame: av.VideoFrame, own_aspect: Fraction | None = None) -> np.ndarray:
        """The Y plane of a frame, upright, of `shape`; the last row or column twice if they are odd.

        A frame that differs from the first is fitted into the first one's size at its own aspect, with black borders.

        Args:
            frame: the frame.
            own_aspect: of its pixels, as its decoder says.

        Returns:
            uint8, or uint16 of 10 bits, (height, width); not to be written into, since it can be the frame's own
            memory, which the decoder may still need.
        """
        luma = self._fitted(frame, own_aspect, self._plane, self._black())
        odd = [(0, side % 2) for side in luma.shape]
        luma = np.pad(luma, odd, mode="edge") if any(side for _, side in odd) else luma
        luma.flags.writeable = False
        return luma

    def rgb(self, frame: av.VideoFrame, own_aspect: Fraction | None = None) -> np.ndarray:
        """A frame in its colours, upright, uint8 RGB (height, width, 3); odd sizes stay odd, else as `luma`."""
        return np.ascontiguousarray(self._fitted(frame, own_aspect, self._colours, 0))

    def luminance(self, luma: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The 8-bit L of a Y plane at a size (height, width), as cuts are found and networks see it; uint8."""
        small = color.to_8_bit(color.resize(self.to_gray(luma), *size))
        return color.rgb_to_lab(np.dstack([small] * 3))[..., 0]

    def _fitted(
        self,
        frame: av.VideoFrame,
        own_aspect: Fraction | None,
        read: Callable[[av.VideoFrame, int, int], np.ndarray],
        black: int,
    ) -> np.ndarray:
        """What `read` gives of a frame at a width and a height, fitted into the first frame's size, upright."""
        width, height = self._size
        fitted = (width, height)
        if self.differs(frame, own_aspect):
            shown = frame.width * self._pixels(own_aspect) / frame.height
            whole = width * self._aspect / height
            wide, high = min(Fraction(1), shown / whole), min(Fraction(1), whole / shown)
            fitted = max(1, round(width * wide)), max(1, round(height * high))
        values = read(frame, *fitted)
        if fitted != self._size:
            left, top = (width - fitted[0]) // 2, (height - fitted[1]) // 2
            page = np.full((height, width, *values.shape[2:]), black, values.dtype)
            page[top : top + fitted[1], left : left + fitted[0]] = values
            values = page
        return np.rot90(values, self._rotation)

    def _colours(self, frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
        range_, matrix = self.tags[:2]
        return frame.reformat(
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=matrix,
            src_color_range=range_,
            dst_color_range=ColorRange.JPEG,
        ).to_ndarray()

    def _plane(self, frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
        range_, matrix = self.tags[:2]
        plain = "gray" if frame.format.name.startswith("gray") else "yuv420p"
        plane = frame.reformat(
            width=width,
            height=height,
            format=f"{plain}{'10le' if self.deep else ''}",
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=range_,
            dst_color_range=range_,
        ).planes[0]
        return view(plane, self.deep)

    def _black(self) -> int:
        return 0 if self.tags[0] == ColorRange.JPEG else 16 << 2 * self.deep

    def to_gray(self, luma: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """A Y plane (height, width) as gray levels of the same shape: uint8 0..255; of 10 bits, uint16 0..65535.

        Args:
            luma: of `luma`.
            out: may hold the result: an array like it that is not needed any more. Memory that is new for each frame
                takes longer than the computing.
        """
        if self.deep:
            lowest, range_ = (0, 1023) if self.tags[0] == ColorRange.JPEG else (64, 876)
            table = np.rint((np.arange(1024) - lowest) * 65535 / range_).clip(0, 65535).astype(np.uint16)
            return table[luma]
        if self.tags[0] == ColorRange.JPEG:
            return luma
        return cv2.LUT(luma, np.rint((np.arange(256) - 16) * 255 / 219).clip(0, 255).astype(np.uint8), out)

    def join(self, luma: np.ndarray, rgb: np.ndarray) -> av.VideoFrame:
        """The frame for the encoder, which has a film's own Y.

        Args:
            luma: as `luma` gives it.
            rgb: the coloured picture, (height, width, 3) of the type of `to_gray`; only its chrominance counts.
        """
        range_, matrix = self.tags[:2]
        frame = av.VideoFrame.from_ndarray(rgb, "rgb48le" if self.deep else "rgb24")
        frame = frame.reformat(format=self.pixel_format, dst_colorspace=matrix, dst_color_range=range_)
        view(frame.planes[0], self.deep)[:] = luma
        return frame

    def black(self) -> av.VideoFrame:
        """A black frame for the encoder."""
        luma = np.full(self.shape, self._black(), np.uint16 if self.deep else np.uint8)
        return self.join(luma, np.dstack([self.to_gray(luma)] * 3))


def view(plane: av.video.plane.VideoPlane, deep: bool) -> np.ndarray:
    """The values of a plane, (height, width), without a copy; uint16 if they have more than 8 bits."""
    values = np.frombuffer(plane, np.uint16 if deep else np.uint8)
    return values.reshape(plane.height, -1)[:, : plane.width]
