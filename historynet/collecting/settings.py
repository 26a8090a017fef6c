"""The parameters of what builds a data set from films. No engine is needed here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet.settings.accepting import boolean, integer, number, text, word
from historynet.settings.declared import COLLECT, Parameters, setting

CHOOSE, LABEL, PARSE, BUILD, REPORT = "choose", "label", "parse", "build", "report"
"""The steps behind COLLECT; BUILD does all of them."""

_ALL = f"{COLLECT} {CHOOSE} {LABEL} {PARSE} {BUILD} {REPORT}"
_OF_COLLECT, _OF_CHOOSE, _OF_LABEL, _OF_PARSE = (f"{step} {BUILD}" for step in (COLLECT, CHOOSE, LABEL, PARSE))
_OF_REPORT = f"{REPORT} {BUILD}"

SHIPPED = "default"
"""What DETECTOR and PARSER can be besides a file: what comes with the project."""

RANGE_FLOOR, TONE_FLOOR, SHARPNESS_FLOOR, SCORE_FLOOR = 20, 1.5, 0.005, 0.3
"""Pictures below are not stored: limits may be chosen anew from here up without reading the films again."""

PALETTES = ("levels", "cihp", "deeplab")
"""How the parts of a parsing are drawn."""


@dataclass(frozen=True, kw_only=True)
class MHMDSettings(Parameters):
    """The parameters of the steps from films to a data set. Paths are absolute."""

    out: Path = setting(text, f"{BUILD} {REPORT}", "places", "folder of the finished data set", path=True)
    work: Path = setting(
        text, _ALL, "places", "folder of all that comes before it", "with --out alone: mhmd in that folder", path=True
    )
    seed: int = setting(integer(0, 2**32 - 1), _ALL, "places", "seed of all that is drawn")

    rate: float = setting(
        number(above=True, at_most=1000), _OF_COLLECT, "films to candidates", "candidates a second, one a shot at least"
    )
    trim: int = setting(
        integer(0, 1000),
        _OF_COLLECT,
        "films to candidates",
        "frames left out at both ends of a shot",
        "mixed and combed ones; a shot that has no others gives nothing",
    )
    crop_bars: bool = setting(boolean, _OF_COLLECT, "films to candidates", "cut black bars off", "the paper keeps them")
    min_side: int = setting(
        integer(16, 10**5),
        _OF_COLLECT,
        "films to candidates",
        "pixels, short side that a film has at least",
        "without its bars; smaller films are left out",
    )
    picture_side: int = setting(
        integer(224, 4096), _OF_COLLECT, "films to candidates", "pixels, short side of the pictures"
    )
    squash: int | None = setting(
        integer(16, 4096),
        _OF_COLLECT,
        "films to candidates",
        "pixels, side of squares to squash pictures to",
        "224 is the paper's form; none: they keep their proportions",
        optional=True,
    )
    detector: str = setting(
        text,
        _OF_COLLECT,
        "films to candidates",
        "finder of persons",
        "'default' (YOLOX-nano, which comes with the project), an .onnx file of YOLOX, or the .cfg of a Darknet "
        "network with its .weights beside it",
        path=lambda value, folder: value != SHIPPED,
    )

    range_min: float = setting(
        number(RANGE_FLOOR, at_most=255),
        _OF_CHOOSE,
        "candidates to pictures",
        "levels from darkest to lightest percent, at least",
        "below: flat, as black frames and most title cards",
    )
    tone_min: float = setting(
        number(TONE_FLOOR, below=256),
        _OF_CHOOSE,
        "candidates to pictures",
        "spread of ab that luminance does not explain",
        "below: gray, or of one tone",
    )
    tinted_min: float = setting(
        number(0, below=256), _OF_CHOOSE, "candidates to pictures", "the same where there is a cast"
    )
    tinted_cast: float = setting(
        number(), _OF_CHOOSE, "candidates to pictures", "casts of over so many tones count as tints"
    )
    frame_sharpness: float = setting(
        number(SHARPNESS_FLOOR),
        _OF_CHOOSE,
        "candidates to pictures",
        "variance of the Laplacian by that of luminance",
        "of a sharp picture at least, at a short side of 224 pixels",
    )
    person_score: float = setting(
        number(SCORE_FLOOR, at_most=1),
        _OF_CHOOSE,
        "candidates to pictures",
        "of what is taken for a person",
    )
    main_height: float = setting(
        number(at_most=1), _OF_CHOOSE, "candidates to pictures", "of the picture's height, of a main person"
    )
    main_share: float = setting(
        number(at_most=1), _OF_CHOOSE, "candidates to pictures", "of the tallest person's height, of a main person"
    )
    max_persons: int = setting(integer(1), _OF_CHOOSE, "candidates to pictures", "main persons in a picture")
    person_sharpness: float = setting(
        number(),
        _OF_CHOOSE,
        "candidates to pictures",
        "the same as FRAME_SHARPNESS, within the tallest person",
    )
    person_blur: float = setting(
        number(at_most=1), _OF_CHOOSE, "candidates to pictures", "blur effect of the tallest person, at most"
    )
    title_distance: int = setting(
        integer(0, 64), _OF_CHOOSE, "candidates to pictures", "bits of 64, of duplicates within a title"
    )
    others_distance: int = setting(
        integer(0, 4),
        _OF_CHOOSE,
        "candidates to pictures",
        "bits of 64, of duplicates in other titles",
        "the picture of the later title by key is left out",
    )
    max_per_title: int = setting(integer(1), _OF_CHOOSE, "candidates to pictures", "pictures of a title")

    labels: Path | None = setting(
        text,
        _ALL,
        "labels",
        "table of the labels",
        "a CSV file with index, era, nationality, garment; none: the paper's 42",
        path=True,
        optional=True,
    )
    num_classes: int = setting(integer(2, 10**4), _ALL, "labels", "labels that the table may have")
    label_share: float = setting(
        number(above=True, at_most=1), _OF_LABEL, "labels", "share of the pictures that is labelled by hand"
    )
    offered_twice: float = setting(
        number(at_most=1), _OF_LABEL, "labels", "share of those that a second person labels too"
    )
    labeller: Path = setting(text, _OF_LABEL, "labels", "trained labeller, a file or a training's folder", path=True)
    title_mask: bool = setting(
        boolean,
        _OF_LABEL,
        "labels",
        "rule out labels that a film's row rules out",
        "no: the network alone says, as in the paper",
    )
    sure_confidence: float = setting(number(at_most=1), _OF_LABEL, "labels", "of labels that need no second look")
    sure_margin: float = setting(number(at_most=1), _OF_LABEL, "labels", "of them before the second label")
    second_looks: int = setting(integer(0), _OF_LABEL, "labels", "pictures that are looked at again, at most")
    audited: int = setting(integer(1), _OF_LABEL, "labels", "pictures whose final label is checked")
    label_order: Path | None = setting(
        text,
        BUILD,
        "labels",
        "another order of the labels in sign.txt",
        "a CSV file as that of LABELS; none: that of the table",
        path=True,
        optional=True,
    )

    parser: str = setting(
        text,
        _OF_PARSE,
        "parsing",
        "parser, a JSON file or a training's folder",
        "'default' (the compact parser that comes with the project), a JSON file beside a model, or the folder or a "
        ".keras file of a training by MHMD_Parser.py",
        path=lambda value, folder: value != SHIPPED,
    )
    parse_count: int | None = setting(
        integer(1), _OF_PARSE, "parsing", "pictures that are parsed", "drawn by SEED + 1; none: all", optional=True
    )
    palette: str = setting(
        word(PALETTES),
        _OF_PARSE,
        "parsing",
        "drawing of the parts",
        "'levels': grays that L tells apart, 'cihp': the paper's colours, 'deeplab': persons alone",
    )
    seg_format: str = setting(
        word(("png", "jpg")),
        BUILD,
        "parsing",
        "format of the parsing's files",
        "the released program reads 'jpg' alone",
    )

    split: str = setting(
        word(("title", "random")),
        BUILD,
        "building",
        "what the test part is drawn by",
        "'title': all pictures of a film are on one side; 'random': by pictures",
    )
    test_share: float = setting(
        number(above=True, below=1), BUILD, "building", "share of the pictures that is for tests"
    )

    hue_pictures: int = setting(integer(1), _OF_REPORT, "report", "pictures whose hues are compared")

    @classmethod
    def implied(cls, given: Mapping[str, Any], known: Collection[str]) -> Mapping[str, Any]:
        return {"work": str(Path(given["out"]) / "mhmd")} if "out" in given and "work" not in known else {}
