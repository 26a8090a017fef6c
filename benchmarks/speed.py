"""Measures HistoryNet's speed on this machine: `python -m benchmarks.speed`, or `make bench`.

Rates are compared with the rate of a plain matrix product measured in the same run, since machines differ and one and
the same machine is not always equally fast.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from historynet import backend
from historynet.parallel import CORES


def seconds(function: Callable[[], object], repeats: int) -> float:
    """The median time of a call, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def forward_operations(network) -> float:
    """Floating-point operations of one picture's way through a network: two for each multiplication and addition."""
    import keras

    operations = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            operations += 2 * np.prod(layer.kernel.shape[:3]) * np.prod(layer.output.shape[1:])
        elif isinstance(layer, keras.layers.Dense):
            operations += 2 * np.prod(layer.kernel.shape)
    return float(operations)


def main() -> None:
    """Prints the figures and saves them as JSON."""
    parser = argparse.ArgumentParser(description="Measures HistoryNet's speed on this machine.")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--gpu-id", default="0")
    parser.add_argument("--json", type=Path, default=Path("RESULT/benchmarks/speed.json"))
    arguments = parser.parse_args()
    print(backend.start(arguments.gpu_id, seed=0))
    import tensorflow as tf

    from historynet.networks import Architecture
    from historynet.networks.classifier import build_classifier
    from historynet.networks.discriminator import build_discriminator
    from historynet.networks.generator import build_generator
    from historynet.systems.historynet import HistoryNet
    from historynet.training.step import Step

    side = 4096
    matrix = tf.random.uniform((side, side))
    multiply = tf.function(lambda: tf.reduce_sum(matrix @ matrix))
    matmul = 2 * side**3 / seconds(lambda: multiply().numpy(), arguments.repeats)

    architecture = Architecture(width=arguments.width)
    generator = build_generator(architecture)
    weights = {"L_r": 1.0, "L_cls": 0.003, "L_par": 0.003, "L_g": 0.1, "L_info": 0.003}
    system = HistoryNet(
        generator,
        build_discriminator(architecture),
        build_classifier(architecture),
        generator_loss=weights,
        penalty_weight=10.0,
        learning_rate=2e-5,
        architecture=architecture,
        fields=("L", "ab", "label", "parsing"),
    )
    rng = np.random.default_rng(0)
    size, batch_size = architecture.image_size, arguments.batch_size
    batch = {
        "L": rng.random((batch_size, size, size, 1), np.float32),
        "ab": rng.random((batch_size, size, size, 2), np.float32),
        "label": np.eye(architecture.num_classes, dtype=np.float32)[:1].repeat(batch_size, 0),
        "label_weight": np.ones(batch_size, np.float32),
        "parsing": rng.random((batch_size, size, size, 1), np.float32),
        "parsing_weight": np.ones(batch_size, np.float32),
    }
    forward = seconds(lambda: generator.predict_on_batch(batch["L"]), arguments.repeats)
    step = Step(system, seed=0)
    update = seconds(lambda: step(batch, 0), arguments.repeats)

    # Forward and backward are about three times a forward pass; the critic sees real, generated and mixed colours, and
    # the mixture's gradient is differentiated once more.
    operations = {name: forward_operations(network) for name, network in system.networks.items()}
    needed = 5 * operations["colorization"] + 13 * operations["discriminator"] + 5 * operations["classifier"]
    figures = {
        "machine": platform.processor() or platform.machine(),
        "cores": CORES,
        "tensorflow": tf.__version__,
        "batch_size": batch_size,
        "width": arguments.width,
        "matmul_gflops": matmul / 1e9,
        "forward_gflop_per_image": operations["colorization"] / 1e9,
        "forward_images_per_second": batch_size / forward,
        "forward_share_of_matmul": operations["colorization"] * batch_size / forward / matmul,
        "update_gflop_per_image": needed / 1e9,
        "update_images_per_second": batch_size / update,
        "update_share_of_matmul": needed * batch_size / update / matmul,
    }
    for name, value in figures.items():
        print(f"{name:28} {value:.3g}" if isinstance(value, float) else f"{name:28} {value}")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"saved in {arguments.json}")


if __name__ == "__main__":
    main()
