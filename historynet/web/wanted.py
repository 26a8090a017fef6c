"""What somebody wants made of a file, as the page says it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from historynet.colorizing.options import ALTERNATIVES, SEEDS
from historynet.pictures.options import STRENGTHS

FORMATS = {
    "same": "as the picture is, else PNG",
    "jpg": "JPEG",
    "png": "PNG",
    "tif": "TIFF",
    "webp": "WebP",
}
"""Of results of pictures, with what they are called."""

TEMPERATURES = (0.0, 2.0)
"""Lowest and highest that the page offers."""


class Wanted(BaseModel):
    """How a file is to be colorized. All of it has the meaning that the options of the command line have.

    Attributes:
        model: the id of a model; empty: the first.
        strength: factor on the predicted chrominance.
        keep_colored: whether pictures stay as they are that have colour already.
        borders: whether the borders of scans stay as they are.
        format: of a picture's result.
        temperature: of models that have one; None: the model's own.
        alternatives: how many pictures in other colours.
        seed: of these.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    model: str = Field("", max_length=300)
    strength: float = Field(1.0, ge=STRENGTHS[0], le=STRENGTHS[1])
    keep_colored: bool = False
    borders: bool = True
    format: Literal["same", "jpg", "png", "tif", "webp"] = "jpg"
    temperature: float | None = Field(None, ge=TEMPERATURES[0], le=TEMPERATURES[1])
    alternatives: int = Field(0, ge=ALTERNATIVES[0], le=ALTERNATIVES[1])
    seed: int = Field(0, ge=SEEDS[0], le=SEEDS[1])
