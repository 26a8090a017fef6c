"""Devices, of this process and of others, that compute an update together: what tf.distribute leaves to its user.

`historynet.backend.start` sets tf.distribute's strategy; all that is made afterwards is made for it.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from historynet.errors import WorkerLostError
from historynet.training.sharing import parts_of, places_of, split

# What a collective operation ends with when a process that takes part in it has ended.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)


class Workers:
    """The processes that train together, each with one replica of the networks a device; mostly one of one.

    Attributes:
        strategy: tf.distribute's.
        replicas: number of replicas in all processes.
        own: the numbers of this process's replicas.
        is_chief: whether this is the process that writes files.
    """

    def __init__(self):
        self.strategy = tf.distribute.get_strategy()
        self.replicas = self.strategy.num_replicas_in_sync
        own = []

        def note(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            own.append(context.replica_id_in_sync_group)
            return tf.zeros(())

        self.strategy.experimental_distribute_values_from_function(note)
        self.own = range(own[0], own[-1] + 1)
        self.is_chief = own[0] == 0

    @property
    def are_several(self) -> bool:
        return len(self.own) < self.replicas

    def shares(self, samples: int, parts: int) -> list[list[range]]:
        """Which samples of a batch each replica computes, part after part of the batch.

        A batch is divided into parts first, so that a part holds the same samples with any number of replicas. If it
        holds fewer than there are replicas, each of them computes all of it: most layers cannot compute nothing.

        Args:
            samples: of the batch.
            parts: how many it is computed in; fewer if there are fewer samples.
        """
        return [
            split(part, self.replicas) if len(part) >= self.replicas else [part] * self.replicas
            for part in parts_of(samples, parts)
        ]

    def own_places(self, samples: int, parts: int) -> list[int]:
        """The places in a batch of the samples that this process computes, rising."""
        return places_of(self.own, self.shares(samples, parts))

    def exchange(self, numbers: Sequence[int]) -> np.ndarray:
        """Waits for all workers to come here; everybody's numbers, (workers, len(numbers)), the chief's first.

        Raises:
            WorkerLostError: if one has ended.
        """
        values = np.array(numbers, np.int64)[None]
        if not self.are_several:
            return values
        with self.watched():
            gathered = self._gather(tf.constant(values))
            return self.strategy.experimental_local_results(gathered)[0].numpy()[:: len(self.own)]

    def wait(self) -> None:
        """Waits for all workers to come here.

        Raises:
            WorkerLostError: if one has ended.
        """
        # TensorFlow crashes on gathering nothing.
        self.exchange([0])

    @tf.function(reduce_retracing=True)
    def _gather(self, values: tf.Tensor) -> tf.Tensor:
        return self.strategy.run(lambda: tf.distribute.get_replica_context().all_gather(tf.identity(values), axis=0))

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Within it TensorFlow's errors about another process are one of ours.

        Raises:
            WorkerLostError: instead of these.
        """
        try:
            yield
        except _LOST as error:
            if not self.are_several:
                raise
            raise WorkerLostError(
                "another worker has ended or cannot be reached, so this one ends, too; see what it says. Start all of "
                "them again to continue from the newest checkpoint"
            ) from error


@contextlib.contextmanager
def synchronized(networks: Iterable[keras.Model]) -> Iterator[None]:
    """Within it batch normalisation is traced with the statistics of all replicas' samples instead of its own's.

    Only within it: saved networks are those of one process.
    """
    layers = [layer for network in networks for layer in _normalizations(network)]
    before = [layer.synchronized for layer in layers]
    for layer in layers:
        layer.synchronized = True
    try:
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.synchronized = value


def _normalizations(network: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    """A network's layers of batch normalisation, those of networks within it, too."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _normalizations(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            yield layer
