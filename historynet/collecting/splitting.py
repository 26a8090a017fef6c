"""The training and the test part of a data set."""

from collections.abc import Mapping, Sequence

import numpy as np

from historynet.collecting.drawing import digest


def by_title(counts: Mapping[str, Sequence[int]], share: float, seed: int) -> list[str]:
    """The titles of the test part: together about a share of all pictures, and of each label's.

    Again and again the title is taken that brings the test part nearest to what is wanted of each label, where a label
    weighs the less the more pictures it has; of equal ones that with the greater SHA-256 of "SEED/KEY". A title must
    leave at least half of each of its labels' pictures for training. The end is reached when none brings it nearer.

    Args:
        counts: pictures of each label, by title.
        share: of the pictures that is wanted in the test part.
        seed: of equal titles.

    Returns:
        Their keys, in the order in which they were taken.
    """
    # The greater digest first, so that the first of equal gains is the right one.
    keys = sorted(counts, key=lambda key: digest(f"{seed}/{key}"), reverse=True)
    if not keys:
        return []
    pictures = np.array([counts[key] for key in keys], np.int64)
    totals = pictures.sum(axis=0)
    weights, wanted = 1 / np.sqrt(np.maximum(totals, 1)), share * totals
    taken, chosen, free = np.zeros_like(totals), [], np.ones(len(keys), bool)
    while True:
        fits = free & np.all((pictures == 0) | (2 * (taken + pictures) <= totals), axis=1)
        gains = (np.abs(taken - wanted) - np.abs(taken + pictures - wanted)) @ weights
        best = int(np.argmax(np.where(fits, gains, -np.inf)))
        if not fits[best] or gains[best] <= 0:
            return chosen
        chosen.append(keys[best])
        taken += pictures[best]
        free[best] = False


def by_picture(names: Sequence[str], share: float, seed: int) -> set[str]:
    """A share of the pictures, whatever film they are of: those with the smallest SHA-256 of "SEED/split/NAME"."""
    ranked = sorted(names, key=lambda name: digest(f"{seed}/split/{name}"))
    return set(ranked[: round(share * len(names))])
