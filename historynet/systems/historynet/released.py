"""The names that the layers of our networks have in the released program's files.

Keras 2 numbered layers by type in the order of their making ("conv2d_6"), which depends on what was made before; the
numbers here start at 1 for each type in each network. VGG16's layers kept their own names.
"""

import re
from collections import Counter
from collections.abc import Iterable

from historynet.systems import vgg16
from historynet.systems.historynet.variants import VARIANTS, Variant


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
