"""Floating-point operations of an update, from the networks' layers and from the graph that is executed.

A multiplication with its addition counts as two. Convolutions and dense layers are counted, with their borders padded;
the rest is less than a hundredth of them. A layer's gradient by its kernel and that by its input take as many
operations each as the layer itself.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from historynet.systems import vgg16
from historynet.systems.historynet.system import HistoryNet


def of_layers(network: keras.Model) -> list[int]:
    """Operations of each convolution and dense layer on its way from one picture to the outputs, in order."""
    counts = []
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            counts.append(2 * int(np.prod(layer.kernel.shape[:3]) * np.prod(layer.output.shape[1:])))
        elif isinstance(layer, keras.layers.Dense):
            counts.append(2 * int(np.prod(layer.kernel.shape)))
    return counts


def forward(network: keras.Model) -> int:
    """Operations of one picture's way through a network."""
    return sum(of_layers(network))


def needed(system: HistoryNet) -> dict[str, int]:
    """Operations that one picture's update takes at least, by what they are for.

    The info vector in inference mode differs from the one in training only behind G0, whose features both share. The
    first layers need no gradient by the network's input, but where the colours are G's. The mixture's gradient needs
    D1's layers forward but the last, whose value nobody asks for, and backward; its derivative by the kernels, since
    LeakyReLU bends nowhere, is a forward pass of the penalty's gradient by the picture (but for the last layer) and a
    kernel's gradient for each layer.
    """
    G, D1, D2 = system.G, system.D1, system.D2
    G0 = keras.Model(G.input, G.get_layer(vgg16.layer_names()[-1]).output)
    counts = {}
    if D2:
        counts["info vector"] = forward(keras.Model(G.input, G.output["info"])) - forward(G0)
    if system.teacher:
        counts["teacher's labels"] = forward(system.teacher)
    counts["G forward"] = forward(G)
    counts["G backward"] = _backward(G)
    if D1:
        counts["D1 for G"] = 2 * forward(D1)
    if D2:
        counts["D2 for G"] = 2 * forward(D2)
    if D1 or D2:
        counts["G again"] = forward(keras.Model(G.input, G.output["ab"]))
    if D1:
        counts["D1 on real and made"] = 2 * (forward(D1) + _backward(D1))
        counts["gradient penalty"] = 4 * forward(D1) - 2 * of_layers(D1)[-1]
    if D2:
        counts["D2"] = forward(D2) + _backward(D2)
    return counts


def _backward(network: keras.Model) -> int:
    """By all kernels, and by all layers' inputs but the first's."""
    return 2 * forward(network) - of_layers(network)[0]


def in_graph(graph: tf.Graph) -> Counter[str]:
    """Operations of a traced function's graph by the kind of its nodes, without those that nothing is done with.

    Raises:
        ValueError: if a shape is not known.
    """
    counts = Counter()
    for node in _executed(graph):
        if node.type in _KINDS:
            shapes = [tensor.shape.as_list() for tensor in (*node.inputs, node.outputs[0])]
            counts[node.type] += 2 * int(np.prod(_KINDS[node.type](node, shapes)))
    return counts


def _executed(graph: Any) -> list[tf.Operation]:
    """The nodes that the outputs or what must happen (assignments, checks) depend upon."""
    found = {}
    left = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    while left:
        node = left.pop()
        if node.name not in found:
            found[node.name] = node
            left += [tensor.op for tensor in node.inputs] + list(node.control_inputs)
    return list(found.values())


def _summed(node: tf.Operation, shape: Sequence[int]) -> int:
    return shape[0] if node.get_attr("transpose_a") else shape[1]


# The multiplications of each kind of node, from the shapes of its inputs and of its output: a kernel's height, width
# and inputs for each value on the side of the convolution's output.
_KINDS = {
    "Conv2D": lambda node, shapes: (*shapes[1][:3], *shapes[-1]),
    "Conv2DBackpropInput": lambda node, shapes: (*shapes[1][:3], *shapes[2]),
    "Conv2DBackpropFilter": lambda node, shapes: (*shapes[-1][:3], *shapes[2]),
    "MatMul": lambda node, shapes: (_summed(node, shapes[0]), *shapes[-1]),
}
