"""Where the time of an update goes: `python -m benchmarks.profile --help`.

TensorFlow's profiler times every node of the graph, on each of its threads; a kind of node is shown with its share of
the sum.
"""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.training import make_batch, make_system
from historynet import backend, errors, settings
from historynet.commands import running
from historynet.settings import PRECISIONS
from historynet.systems.historynet.variants import VARIANTS

_SHOWN = 15


def main(argv: Sequence[str]) -> int:
    """Prints the kinds of nodes that take the most time; the exit code."""
    parser = settings.Parser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--variant", choices=VARIANTS, default="HistoryNet")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    arguments = parser.parse_args(argv)
    print(backend.start("cpu", seed=0))
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    from historynet.training.tensorflow_step import Step

    system = make_system(arguments.variant, width=arguments.width, precision=arguments.precision)
    batch = make_batch(system, arguments.batch_size)
    step = Step(system, seed=0)
    step(batch, 0)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            step(batch, 0)
        (path,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    milliseconds = Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            # A node is called "its/name:Kind"; TensorFlow's own functions are "Class::Function" and "Function: which".
            node, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if node and not node.endswith(":") and not kind.startswith(" ") and "CPU" in plane.name:
                milliseconds[kind] += event.duration_ps / 1e9
    total = sum(milliseconds.values())
    for kind, value in milliseconds.most_common(_SHOWN):
        print(f"{kind:36} {value:9.0f} ms  {value / total:6.1%}")
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
