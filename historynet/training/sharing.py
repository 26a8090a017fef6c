"""How the samples of a batch are shared out among those who compute an update together."""

from collections.abc import Sequence
from itertools import pairwise


def split(samples: range, count: int) -> list[range]:
    """Successive ranges of sizes as even as can be, the larger ones first."""
    ends = [samples.start + (len(samples) * i + count - 1) // count for i in range(count + 1)]
    return [range(start, end) for start, end in pairwise(ends)]


def parts_of(samples: int, parts: int) -> list[range]:
    """The parts of a batch, of which there are fewer if there are fewer samples."""
    return split(range(samples), min(parts, samples))


def places_of(replicas: range, shares: Sequence[Sequence[range]]) -> list[int]:
    """The places in a batch of the samples that some replicas compute, rising.

    Args:
        replicas: their numbers.
        shares: part after part of the batch, the range of each replica.
    """
    return sorted({place for part in shares for replica in replicas for place in part[replica]})
