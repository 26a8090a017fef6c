"""Scans made of photographs: prints with borders, captions and stamps, of one tone or of one hue."""

import cv2
import numpy as np

KINDS = ("white", "cream", "black", "gray")
SHAPES = ("plain", "rounded", "torn")


def _print_mask(shape, kind, random):
    """uint8 (h, w): where a print is that is rounded or torn."""
    height, width = shape
    long_side = max(shape)
    mask = np.full(shape, 255, np.uint8)
    if kind == "rounded":
        radius = int(random.uniform(0.015, 0.05) * long_side)
        mask[:] = 0
        centers = [(x, y) for x in (radius, width - 1 - radius) for y in (radius, height - 1 - radius)]
        for x, y in centers:
            cv2.circle(mask, (x, y), radius, 255, -1)
        mask[radius:-radius] = mask[:, radius:-radius] = 255
    if kind == "torn":
        rows, columns = np.arange(height)[:, None], np.arange(width)

        def tear(length):
            values = cv2.GaussianBlur(random.normal(size=(1, length)).astype(np.float32), (0, 0), length / 80)[0]
            return np.abs(values) / np.abs(values).max() * random.uniform(0.004, 0.012) * long_side

        mask[(rows < tear(width)) | (rows > height - 1 - tear(width))] = 0
        mask[(columns < tear(height)[:, None]) | (columns > width - 1 - tear(height)[:, None])] = 0
    return mask


def _paper(kind, shape, random):
    """float (h, w, 3): paper with grain, darker towards a corner."""
    paper = {
        "white": np.full(3, random.uniform(238, 255)),
        "cream": random.uniform((236, 226, 196), (250, 236, 220)),
        "black": np.full(3, random.uniform(0, 28)),
        "gray": np.full(3, random.uniform(100, 190)),
    }[kind]
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    down, right = random.uniform(-8, 8, 2)
    shade = down * (rows / shape[0] - 0.5) + right * (columns / shape[1] - 0.5)
    return paper + (shade + random.normal(0, random.uniform(0, 2.5), shape))[..., None]


def make_scan(rgb, seed, kind=None, shape=None):
    """A print with a border of paper, with or without a caption, a stamp, and lying askew by up to 2 degrees.

    Args:
        rgb: uint8 (h, w, 3): the photograph, without a border.
        seed: another scan for each.
        kind: one of KINDS, or any.
        shape: one of SHAPES, or any.

    Returns:
        The scan, uint8 (h, w, 3), as a JPEG file holds it; and the share of each pixel that is print, 0..1.
    """
    random = np.random.default_rng(seed)
    kind, shape = kind or random.choice(KINDS), shape or random.choice(SHAPES)
    height, width = rgb.shape[:2]
    long_side = max(height, width)
    even, angle = random.random() < 0.5, random.choice([0.0, random.uniform(-2, 2)])
    askew = long_side * np.sin(np.radians(abs(angle))) / 2 + 1
    widths = np.full(4, random.uniform(0.04, 0.13)) if even else random.uniform(0.03, 0.15, 4)
    is_captioned = random.random() < 0.6
    widths[1] = max(widths[1], 0.1 * is_captioned)
    top, bottom, left, right = (widths * long_side + askew).astype(int)
    size = width + left + right, height + top + bottom
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    turn[:, 2] += left, top
    photograph = cv2.warpAffine(rgb, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(_print_mask((height, width), shape, random), turn, size)[..., None] / 255
    scan = _paper(kind, size[::-1], random)
    ink = (220,) * 3 if kind == "black" else (40,) * 3
    if is_captioned:
        place = int(left + random.uniform(0, 0.2) * width), int(size[1] - 0.35 * bottom)
        cv2.putText(scan, "At the lake, 1936", place, cv2.FONT_HERSHEY_SIMPLEX, bottom / 90, ink, 1, cv2.LINE_AA)
    if random.random() < 0.5:
        place = int(random.choice([left / 2, size[0] - right / 2])), top // 2
        cv2.circle(scan, place, int(0.4 * min(left, right, top)), ink, 2, cv2.LINE_AA)
    scan = np.clip(scan * (1 - mask) + photograph * mask, 0, 255).astype(np.uint8)
    _, file = cv2.imencode(".jpg", scan[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(75, 96))])
    return np.ascontiguousarray(cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]), mask[..., 0]


def make_toned(gray, seed):
    """A gray photograph (h, w), uint8, as a toned print of a random hue, strength and manner: uint8 RGB (h, w, 3)."""
    random = np.random.default_rng(seed)
    light = gray.astype(np.float32) / 255
    manner = random.integers(4)
    if manner == 0:
        rgb = np.dstack([light * factor for factor in random.uniform((1, 0.85, 0.55), (1.15, 0.95, 0.85))])
    elif manner == 1:
        rgb = np.dstack([light**power for power in random.uniform((0.7, 0.95, 1.1), (0.9, 1.05, 1.5))])
    else:
        # One hue, or another in the shadows.
        hues = random.uniform(0, 2 * np.pi, 2) if manner == 2 else np.radians(random.uniform(40, 100, 1).repeat(2))
        dark, bright = (chroma * np.exp(1j * hue) for chroma, hue in zip(random.uniform(6, 22, 2), hues, strict=True))
        ab = dark * (1 - light) + bright * light
        rgb = cv2.cvtColor(np.dstack([100 * light, ab.real, ab.imag]).astype(np.float32), cv2.COLOR_Lab2RGB)
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
