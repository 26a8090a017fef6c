"""Memory and time of self-attention on a map, forward and backward, in one piece and in chunks (docs/pix2pix.md).

`python -m benchmarks.attention HEIGHT WIDTH CHANNELS BATCH plain`, or `chunked`: each in a process of its own.
"""

import argparse
import threading
import time
from pathlib import Path

PAGE = 4096


def resident() -> int:
    """Bytes of memory that this process takes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def main() -> None:
    """Prints the memory that the call added at its peak, and its seconds of a processor, those of all threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("height", "width", "channels", "batch"):
        parser.add_argument(name, type=int)
    parser.add_argument("way", choices=("plain", "chunked"))
    arguments = parser.parse_args()

    import tensorflow as tf

    from historynet.systems.pix2pix import attention

    places, narrow = arguments.height * arguments.width, max(1, arguments.channels // 8)
    points = [tf.random.normal((arguments.batch, places, narrow)) for _ in range(3)]
    if arguments.way == "plain":
        attention.PLAIN_UP_TO = places

    @tf.function
    def gradients(*points):
        with tf.GradientTape() as tape:
            tape.watch(points)
            value = tf.reduce_sum(attention.attend(*points) ** 2)
        return tape.gradient(value, points)

    gradients.get_concrete_function(*points)
    before, done = resident(), threading.Event()
    peak = [before]

    def watch():
        while not done.wait(0.005):
            peak.append(max(peak.pop(), resident()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.process_time()
    gradients(*points)
    seconds = time.process_time() - start
    done.set()
    watcher.join()
    print(f"{(peak[0] - before) / 1e6:.0f} MB, {seconds:.1f} s of a processor")


if __name__ == "__main__":
    main()
