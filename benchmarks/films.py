"""Measures how steady a film's colours are, and at what cost: `python -m benchmarks.films --film FILE --model FILE`.

The film has colours. Its luma alone is colorized; every frame is predicted once and steadied with each steadiness.

* change: how much ab differs between a frame and the one before it, moved along the motion (flow of the true pictures'
  luminance, by a finer method than the one that steadies), where that explains the luminance; mean, in 8-bit levels.
* PSNR: of the results against the film's own colours, over all frames, as `metrics.psnr` defines it.
"""

from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from historynet import backend, errors
from historynet.commands import running
from historynet.comparing import metrics
from historynet.films.steadying import Steadier, align, find_cuts
from historynet.pictures import color
from historynet.settings import Parser


def main(argv: Sequence[str]) -> int:
    """Prints a table, a row for each steadiness."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--film", type=Path, required=True, help="with colours")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--start", type=float, default=0.0)
    parser.add_argument("--steadiness", type=float, nargs="+", default=[0, 0.5, 0.7, 0.8, 0.9, 0.95, 1])
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    arguments = parser.parse_args(argv)
    # Every frame goes through the network once.
    backend.start("cpu")
    from historynet import Colorizer

    colorizer = Colorizer(arguments.model)
    originals, grays, luminances = read_film(
        arguments.film, arguments.start, arguments.start + arguments.seconds, colorizer.size
    )
    predicted = colorizer.predict_ab(np.stack(luminances))
    levels = [np.rint(luminance[..., 0] * 255).astype(np.uint8) for luminance in luminances]
    cuts = [cut for _, cut in find_cuts(levels, lambda level: level)]
    # And through each steadiness.
    print(f"{len(levels)} frames, {sum(cuts)} cuts; {arguments.model.name}")
    print("steadiness  change  of frame by frame  PSNR")
    change_of_first = None
    for steadiness in arguments.steadiness:
        steadier = Steadier(steadiness)
        steadied = [steadier(*frame) for frame in zip(levels, predicted, cuts, strict=True)]
        change = mean_change(levels, steadied, cuts)
        change_of_first = change_of_first or change
        pairs = zip(originals, grays, steadied, strict=True)
        psnr = np.mean([metrics.psnr(original, color.with_chrominance(gray, ab)) for original, gray, ab in pairs])
        print(f"{steadiness:10.2f}  {change:6.3f}  {change / change_of_first:17.1%}  {psnr:.3f}")
    return errors.DONE


def read_film(
    path: Path, start: float, end: float, size: tuple[int, int]
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Three arrays of each frame between start and end.

    Args:
        path: the film.
        start: seconds.
        end: seconds.
        size: (height, width) that the network sees.

    Returns:
        The frames in colour and in gray, uint8 (height, width, 3) of half the film's height and width; their luminance
        as the network sees it, float32 (height, width, 1) in 0..1.
    """
    originals, grays, luminances = [], [], []
    with av.open(str(path)) as container:
        container.seek(int(start * av.time_base))
        for frame in container.decode(video=0):
            if not start <= frame.time < end:
                continue
            rgb = frame.to_ndarray(format="rgb24")
            gray = color.to_gray(rgb)
            # A quarter of the pixels is enough, and fits into memory.
            originals.append(cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
            grays.append(cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
            luminances.append(color.network_lab(gray, size)[..., :1])
    return originals, grays, luminances


def mean_change(levels: Sequence[np.ndarray], ab: Sequence[np.ndarray], cuts: Sequence[bool]) -> float:
    """How much ab changes from frame to frame along the motion, in 8-bit levels; nothing is compared over a cut.

    Args:
        levels: luminance of each frame, uint8 (height, width).
        ab: chrominance of each frame, float32 (height, width, 2) in 0..1.
        cuts: whether each frame is the first of a shot.
    """
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    changes = []
    for number in range(1, len(levels)):
        if not cuts[number]:
            moved, trust = align(flow, levels[number], levels[number - 1], ab[number - 1])
            changes.append(np.abs(255 * (ab[number] - moved))[trust > 0.5].mean())
    return float(np.mean(changes))


if __name__ == "__main__":
    running.run(main)
