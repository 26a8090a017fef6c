"""Smaller networks than the papers'."""


def scaled(full: int, factor: float) -> int:
    """What is left of a paper's number of channels or units."""
    return max(1, round(full * factor))
