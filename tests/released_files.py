"""Files as the released program's Keras 2.2.4 wrote them, with the made-up weights that stand for the trained ones."""

import h5py
import numpy as np

from historynet.systems.historynet import released

SEEDS_AND_GAINS = {"generator": (1000, 1.0), "discriminator": (2000, 0.5), "classifier": (3000, 0.5)}

# The released program makes D1 first, then the generator, then D2.
FIRST_NUMBERS = {
    "generator": {"conv2d": 6},
    "discriminator": {},
    "classifier": {"conv2d": 32, "batch_normalization": 9, "dense": 7},
}


def make_up_weights(network):
    """Gives a network of ours the made-up weights of the reference files."""
    for i, variable in enumerate(w for layer in network.layers for w in layer.weights):
        variable.assign(made_up_array(network.name, i, variable.name, variable.shape))


def made_up_array(network, i, variable, shape):
    """The made-up array i of a network: 997 random numbers, repeated."""
    seed, gain = SEEDS_AND_GAINS[network]
    n = np.random.RandomState(seed + i).randn(997)
    values = {
        "kernel": n * np.sqrt(2 / np.prod(shape[:-1])) * gain,
        "bias": 0.02 * n,
        "beta": 0.02 * n,
        "gamma": 1 + 0.1 * n,
        "moving_mean": 0.05 * n,
        "moving_variance": 1 + 0.2 * np.abs(n),
    }[variable]
    return np.resize(values.astype(np.float32), shape)


def write_released_file(path, network, variant="HistoryNet", whole=True, suffix="_1"):
    """Writes a network of ours as the released program did.

    Args:
        path: the file.
        network: a network of ours.
        variant: of which variant.
        whole: as a whole model, as the released files are; else weights only.
        suffix: Keras' suffix of VGG16's layers, which the released program builds twice.
    """
    names = released_names(network, variant)
    layers = {}
    for layer in network.layers:
        if not layer.weights:
            continue
        group = "model_3" if layer.name.startswith("block") else names[layer.name]
        name = layer.name + suffix if group == "model_3" else group
        layers.setdefault(group, []).extend((f"{name}/{v.name}:0", v.numpy()) for v in layer.weights)
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole else file
        # Layers without weights are listed too.
        root.attrs["layer_names"] = [name.encode() for name in ("input_1", *layers, "up_sampling2d_1")]
        for name in ("input_1", "up_sampling2d_1"):
            root.create_group(name).attrs["weight_names"] = np.array([], "S1")
        for group, arrays in layers.items():
            root.create_group(group).attrs["weight_names"] = [name.encode() for name, _ in arrays]
            for name, value in arrays:
                root[group][name] = value
        if whole:
            file.attrs["keras_version"] = b"2.2.4"
            # Nothing of this is ever read, let alone run.
            file.attrs["model_config"] = b'{"class_name": "Lambda", "config": {"function": "raise SystemExit"}}'
            file["optimizer_weights/Adam/iterations:0"] = 7.0


def released_names(network, variant):
    """Our layer name -> the name in the released files."""
    numbered = {}
    for ours, name in released.layer_names(network.name, variant).items():
        kind, _, number = name.rpartition("_")
        first = FIRST_NUMBERS[network.name].get(kind, 1)
        numbered[ours] = ours if ours.startswith("block") else f"{kind}_{int(number) - 1 + first}"
    return numbered
