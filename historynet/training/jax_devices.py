"""Devices, of this process and of others, that compute an update together: JAX's, each with all of the networks.

`historynet.backend.start` says which there are: JAX's default device alone, or all devices if there is no such default.
"""

import atexit
import contextlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from historynet.errors import WorkerLostError
from historynet.training.sharing import parts_of, places_of, split

# What a collective operation says when a process that takes part in it has ended.
_LOST = re.compile("gloo|connection|heartbeat|unavailable|deadline|coordination|preempted|barrier", re.IGNORECASE)


class Workers:
    """The processes that train together, each with its devices; mostly one of one.

    Attributes:
        replicas: number of devices in all processes.
        own: the numbers of this process's devices.
        is_chief: whether this is the process that writes files.
    """

    def __init__(self):
        default = jax.config.jax_default_device
        devices = sorted(jax.devices() if default is None else [default], key=lambda device: device.process_index)
        self.replicas = len(devices)
        own = [number for number, device in enumerate(devices) if device.process_index == jax.process_index()]
        self.own = range(own[0], own[-1] + 1)
        self.is_chief = own[0] == 0
        mesh = Mesh(np.array(devices), "batch")
        self._divided, self._repeated = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (("batch",), ()))

    @property
    def are_several(self) -> bool:
        return len(self.own) < self.replicas

    def shares(self, samples: int, parts: int) -> list[list[range]]:
        """Which samples of a batch each device computes, part after part of the batch.

        A part that cannot be divided evenly is computed whole by each of them, as JAX divides evenly only.
        """
        return [
            [part] * self.replicas if len(part) % self.replicas else split(part, self.replicas)
            for part in parts_of(samples, parts)
        ]

    def own_places(self, samples: int, parts: int) -> list[int]:
        """The places in a batch of the samples that this process computes, rising."""
        return places_of(self.own, self.shares(samples, parts))

    def place(self, fields: Mapping[str, np.ndarray], samples: int, parts: int) -> list[dict[str, jax.Array]]:
        """Begins to send a batch to the devices: its parts, each of them an array over all devices.

        Args:
            fields: of the samples at `own_places`.
            samples: of the whole batch.
            parts: as in `shares`.
        """
        placed, begin = [], 0
        for part, shares in zip(parts_of(samples, parts), self.shares(samples, parts), strict=True):
            own = len(places_of(self.own, [shares]))
            is_divided = len(shares[0]) < len(part)
            placed.append(
                {
                    name: jax.make_array_from_process_local_data(
                        self._divided if is_divided else self._repeated,
                        np.ascontiguousarray(value[begin : begin + own]),
                        (len(part), *value.shape[1:]),
                    )
                    for name, value in fields.items()
                }
            )
            begin += own
        return placed

    def spread(self, value: jax.Array) -> jax.Array:
        """A value that each process has, as one array over all devices."""
        if value.sharding == self._repeated:
            return value
        if self.replicas == 1:
            # As the first update leaves them: of other shardings the second one would be compiled anew.
            return jax.device_put(value, self._repeated)
        return jax.make_array_from_process_local_data(self._repeated, np.asarray(value), value.shape)

    def local(self, value: jax.Array) -> jax.Array:
        """A value that all devices have, for what one process computes without the others."""
        return value.addressable_data(0) if self.are_several else value

    def exchange(self, numbers: Sequence[int]) -> np.ndarray:
        """Waits for all workers to come here; everybody's numbers, (workers, len(numbers)), the chief's first.

        Raises:
            WorkerLostError: if one has ended.
        """
        values = np.array(numbers, np.int64)[None]
        if not self.are_several:
            return values
        # In halves, since JAX has no integers of 64 bits by default.
        halves = np.stack([values >> 31, values & 0x7FFFFFFF]).astype(np.int32)
        with self.watched():
            high, low = np.moveaxis(np.asarray(multihost_utils.process_allgather(halves)), 0, 1)[:, :, 0]
        return (high.astype(np.int64) << 31) | low

    def wait(self) -> None:
        """Waits for all workers to come here.

        Raises:
            WorkerLostError: if one has ended.
        """
        self.exchange([0])

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Within it JAX's errors about another process are one of ours.

        Raises:
            WorkerLostError: instead of these.
        """
        try:
            yield
        except (jax.errors.JaxRuntimeError, ValueError) as error:
            if not self.are_several or not _LOST.search(str(error)):
                raise
            # At the end JAX would wait for the lost one, and then abort. What is registered last is called first.
            atexit.register(_leave)
            raise WorkerLostError(
                "another worker has ended or cannot be reached, so this one ends, too; see what it says. Start all of "
                "them again to continue from the newest checkpoint"
            ) from error


def _leave() -> None:
    """Ends the process at once, with the exit code of a lost worker."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(WorkerLostError.exit_code)
