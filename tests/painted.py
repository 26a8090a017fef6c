"""Pictures painted in four colours, a model that tells these apart, and a folder WORK of such pictures."""

import json

import cv2
import numpy as np
import onnx_files

from historynet.collecting import manifest, parts

PAINT = np.array([(20, 40, 200), (240, 30, 20), (30, 220, 40), (250, 250, 60)], np.uint8)
CLASSES = ("background", "face", "coat", "left-shoe")
INDICES = np.array([parts.NAMES.index(name) for name in CLASSES])


def describe(folder, colours=PAINT, model=None, name="tiny.json", **changes):
    """A description beside its model, which tells the paints apart by what the description makes of them."""
    said = {
        "model": "tiny.onnx",
        "input": [64, 48],
        "layout": "NCHW",
        "order": "RGB",
        "unit": "picture",
        "activation": "logits",
        "classes": list(CLASSES),
        "licence": "none",
    } | changes
    said = {key: value for key, value in said.items() if value is not None}
    order = colours[:, ::-1] if said["order"] == "BGR" else colours
    mean, std = said.get("mean", (0, 0, 0)), said.get("std", (1, 1, 1))
    seen = (order.astype(float) * said.get("scale", 1) - mean) / std
    options = {"channels_first": said["layout"] == "NCHW", "argmax": said["activation"] == "argmax"}
    onnx_files.write_nearest_colour(folder / "tiny.onnx", seen, **options, **(model or {}))
    (folder / name).write_text(json.dumps(said))
    return folder / name


def painted(seed=0, shape=(96, 72)):
    """The numbers of paints in blobs, and the picture."""
    rng = np.random.default_rng(seed)
    found = cv2.resize(rng.integers(0, 4, (6, 4), np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST)
    return found, PAINT[found]


def make_work(work, titles=("anna", "berlin", "paris"), count=6):
    """A folder WORK with `count` kept pictures of each title, of two persons each."""
    pictures = []
    for place, title in enumerate(titles):
        for i in range(count):
            name = f"{title}-{500 * i:08}.jpg"
            path = manifest.frames_of(work, title) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _, rgb = painted(100 * place + i, (64, 72))
            jpeg = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111)
            assert cv2.imwrite(str(path), rgb[..., ::-1], jpeg)
            boxes = ((4.0, 4.0, 34.0, 60.0), (40.0, 10.0, 70.0, 60.0))
            pictures.append(manifest.Picture(name, title, title, "", 0.5 * i, boxes, 0.1 + i, 9.0))
    manifest.write(work, pictures)
    return sorted(pictures, key=lambda picture: picture.picture)
