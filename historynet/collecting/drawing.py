"""The draw of a share of all pictures, in which titles and the course of each film are as in the whole."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction


def draw(names_by_title: Mapping[str, Sequence[str]], share: Fraction | Decimal | str, seed: int) -> list[str]:
    """Some pictures of each title, at even distances.

    Of n pictures ceil(share n) are drawn; a title gets its part of them, rounded down, and what is left goes to the
    largest remainders, of equal ones to the first by key. Of its n_t pictures it gives those at the places
    floor((i + u) n_t / m), i = 0..m - 1, where u follows from the seed and the title.

    Args:
        names_by_title: the pictures of each title, by its key; of a series those of all parts.
        share: of all pictures, 0..1, in exact decimals.
        seed: of the draw.

    Returns:
        The drawn pictures, by title, then by name.
    """
    share = Fraction(share)
    sizes = {key: len(names_by_title[key]) for key in sorted(names_by_title)}
    total = sum(sizes.values())
    drawn = math.ceil(share * total)
    wanted = {key: Fraction(drawn * size, total) for key, size in sizes.items() if size}
    counts = {key: math.floor(part) for key, part in wanted.items()}
    # Sorted by key already, and sorting is stable.
    by_remainder = sorted(wanted, key=lambda key: counts[key] - wanted[key])
    for key in by_remainder[: drawn - sum(counts.values())]:
        counts[key] += 1
    return [name for key, count in counts.items() for name in _evenly(sorted(names_by_title[key]), count, seed, key)]


def _evenly(names: Sequence[str], count: int, seed: int, key: str) -> list[str]:
    begin = unit(f"{seed}/{key}")
    return [names[math.floor((i + begin) * len(names) / count)] for i in range(count)]


def unit(text: str) -> Fraction:
    """A number in 0..1, 1 left out, that follows from a text: the first 8 hexadecimal digits of its SHA-256 / 2^32."""
    return Fraction(int(digest(text)[:8], 16), 2**32)


def digest(text: str) -> str:
    """The SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
