"""The names that the layers of our networks have in the released program's files.

Keras 2 numbered layers by type in the order of their making ("conv2d_6"), which depends on what was made before; the
numbers here start at 1 for each type in each network. VGG16's layers kept their own names.
"""

import math
import re
import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from historynet.errors import InputError, reason
from historynet.systems import vgg16
from historynet.systems.historynet.fitting import BEHIND_FLATTEN
from historynet.systems.historynet.variants import VARIANTS, Architecture, Variant
from historynet.systems.scaling import scaled
from historynet.weights.reading import Arrays


def layer_names(kind: str, variant: str) -> dict[str, str]:
    """Our name of each layer that has weights -> its released name.

    Args:
        kind: "generator", "discriminator" or "classifier".
        variant: a name in VARIANTS; it matters to generators alone.
    """
    if kind == "generator":
        return {name: name for name in vgg16.layer_names()} | _number(_generator(VARIANTS[variant]))
    if kind == "discriminator":
        return _number([("conv2d", f"critic_conv{i}") for i in (1, 2, 3, 4)] + [("conv2d", "patches")])
    layers = [("conv2d", f"classifier_conv{i}") for i in (1, 2, 3, 4, 5)]
    layers += [("batch_normalization", f"classifier_bn{i}") for i in (2, 3, 4, 5)]
    return _number([*layers, ("dense", "classifier_dense"), ("dense", "classifier_info")])


def count_from_one(names: Iterable[str]) -> dict[str, str]:
    """Names of a file -> the same names with each type's numbers starting at 1: conv2d_6, conv2d_7 -> 1, 2."""
    parts = {name: re.fullmatch(r"(conv2d|batch_normalization|dense)_(\d+)", name) for name in names}
    first = {}
    for match in filter(None, parts.values()):
        first[match[1]] = min(int(match[2]), first.get(match[1], int(match[2])))
    return {
        name: f"{match[1]}_{int(match[2]) - first[match[1]] + 1}" if match else name for name, match in parts.items()
    }


def _number(layers: Iterable[tuple[str, str]]) -> dict[str, str]:
    count = Counter()
    names = {}
    for kind, name in layers:
        count[kind] += 1
        names[name] = f"{kind}_{count[kind]}"
    return names


def _generator(variant: Variant) -> list[tuple[str, str]]:
    """(type, our name) of the generator's layers in the order in which the released program made them."""
    made = []
    count = Counter()

    def conv(name):
        made.append(("conv2d", name))

    def conv_bn(name):
        made.extend([("conv2d", name), ("batch_normalization", f"{name}_bn")])

    def path_convs(path, number):
        for _ in range(number):
            count[path] += 1
            conv(f"{path}_conv{count[path]}")

    for i in (1, 2, 3, 4):
        conv_bn(f"global_conv{i}")
    if variant.parsing_convs:
        conv_bn("parsing_input1")
        conv_bn("parsing_input2")
    conv_bn("color_input1")
    conv_bn("color_input2")
    if variant.parsing_convs:
        path_convs("parsing", 2)
    conv("color_fusion")
    path_convs("color", 1)
    for level in range(3):
        if level:
            path_convs("parsing", 1 if variant.parsing_convs else 0)
            path_convs("color", 1)
        path_convs("color", variant.color_convs[level])
        if level == 2:
            conv("ab_half")
        if variant.parsing_convs:
            path_convs("parsing", variant.parsing_convs[level])
    if variant.parsing_convs:
        conv("parsing_half")
    dense = ("info_dense1", "info_dense2", "info", "label_dense1", "label_dense2", "label")
    return made + [("dense", name) for name in dense]


def recognise(arrays: Arrays, path: Path) -> tuple[str, Architecture, Arrays] | None:
    """Finds the network whose layers have these names, ours or the released ones.

    Args:
        arrays: of a file that does not say what it is, by layer.
        path: the file, for the messages.

    Returns:
        The network, its architecture and the arrays by our layer names; None if most names are of no such network.

    Raises:
        InputError: naming the first layer that is left over or missing in a file that nearly is one.
    """
    in_file = count_from_one(arrays)
    candidates = []
    for network in ("generator", "discriminator", "classifier"):
        for variant in VARIANTS:
            names = layer_names(network, variant)
            for ours in ({name: name for name in names}, {name: ours for ours, name in names.items()}):
                candidates.append((len(set(ours) ^ set(in_file.values())), network, variant, ours))
    differences, network, variant, ours = min(candidates, key=lambda candidate: candidate[0])
    if differences > len(arrays) / 2:
        return None
    left_over = [name for name, known in in_file.items() if known not in ours]
    if left_over:
        raise InputError(f"{path}: holds a layer {left_over[0]!r} that the {variant} {network} does not have")
    missing = [name for known, name in ours.items() if known not in in_file.values()]
    if missing:
        raise InputError(f"{path}: the {variant} {network}'s layer {missing[0]!r} is not in the file")
    named = {ours[known]: arrays[name] for name, known in in_file.items()}
    try:
        return network, _infer_architecture(network, variant, named), named
    except IndexError as error:
        raise InputError(f"{path}: holds layers without arrays, or arrays without a shape") from error
    except ValueError as error:
        raise InputError(f"{path}: its arrays have sizes that no {network} has ({reason(error)})") from error


def _infer_architecture(kind: str, variant: str, arrays: Arrays) -> Architecture:
    """The architecture that a network's arrays have; where they are at odds, what most of them say.

    Images of 200 to 224 pixels give the same shapes: the largest is taken. A discriminator fits every image size.
    """
    dense, convs, features = (
        {name: (arrays[name][0].shape[-1], full) for name, full in layers.items()} for layers in _MEASURES[kind]
    )
    # Large layers say the factor best, and most often it is one for all.
    factors = [count / full for count, full in (dense | convs | features).values()]
    width, features_width, dense_width = (
        _most_fitting(factors, layers.values()) if layers else None for layers in (convs, features, dense)
    )
    # The dense layers see 512 channels of 1/32 of the side.
    flat = [arrays[name][0].shape[0] for name in BEHIND_FLATTEN if name in arrays]
    channels = scaled(512, width)
    sides = [side for rows in flat if (side := math.isqrt(rows // channels)) and side**2 * channels == rows]
    size = 32 * statistics.mode(sides) if sides else Architecture.image_size
    classes = max(1, arrays["label"][0].shape[-1]) if "label" in arrays else None
    return Architecture(variant, size, width, classes, features_width, dense_width)


_MEASURES = {
    "generator": (
        {"label_dense1": 4096, "info_dense1": 1024, "info_dense2": 512},
        {"global_conv4": 512, "global_conv2": 512, "block4_conv2": 512},
        {"block3_conv2": 256, "block2_conv2": 128, "block1_conv2": 64},
    ),
    "discriminator": ({}, {f"critic_conv{i}": 32 * 2**i for i in (4, 3, 2, 1)}, {}),
    "classifier": (
        {"classifier_dense": 1024, "classifier_info": 256},
        {f"classifier_conv{i}": full for i, full in ((5, 512), (4, 512), (3, 256))},
        {},
    ),
}
"""Layers of each kind of network whose sizes tell dense_width, width and features_width, with their full sizes."""


def _most_fitting(factors: Sequence[float], layers: Collection[tuple[int, int]]) -> float:
    """The first of the factors by which the most of the layers (size, full size) were scaled."""
    return max(factors, key=lambda factor: sum(scaled(full, factor) == size for size, full in layers))
