"""What tells the variants of the paper's ablation apart, and what all networks of one system must agree upon."""

from dataclasses import dataclass

from historynet.systems.scaling import scaled


@dataclass(frozen=True)
class Variant:
    """What tells one of the paper's variants from another.

    Attributes:
        folder: of its scripts.
        outputs: what the generator gives, of "ab", "label", "parsing", "info".
        color_convs: extra convolutions of the colour path G1 at 1/8, 1/4 and 1/2 of the picture's side.
        parsing_convs: the same of the parsing path G3, after the point where G1 takes its features; None without G3.
        label_units: the two hidden layers of the label head.
        num_classes: labels; the paper's number.
    """

    folder: str
    outputs: tuple[str, ...]
    color_convs: tuple[int, int, int]
    parsing_convs: tuple[int, int, int] | None = None
    label_units: tuple[int, int] = (4096, 420)
    num_classes: int = 42


VARIANTS = {
    "HistoryNet": Variant(
        "SOURCE_HistoryNet", ("ab", "label", "parsing", "info"), color_convs=(1, 2, 1), parsing_convs=(1, 2, 1)
    ),
    "HistoryNet_Parsing": Variant(
        "SOURCE_Parsing", ("ab", "label", "parsing"), color_convs=(1, 1, 1), parsing_convs=(1, 1, 0)
    ),
    "HistoryNet_Classifier": Variant("SOURCE_Classifier", ("ab", "label", "info"), color_convs=(1, 1, 1)),
    # ChromaGAN, which learns the 1000 classes of ImageNet from VGG16.
    "Baseline": Variant("Baseline", ("ab", "label"), color_convs=(0, 1, 0), label_units=(4096, 4096), num_classes=1000),
}


@dataclass(frozen=True)
class Architecture:
    """Everything that the networks of one system must agree upon; saved with each of their files.

    Attributes:
        variant: a name in VARIANTS.
        image_size: side of the pictures in pixels, a multiple of 8; 224 in the paper.
        width: factor on every channel count; 1.0 is the paper's network.
        num_classes: labels; the paper's number of them if None: 42, for the Baseline 1000.
        features_width: factor on the channel counts of VGG16's first three blocks; `width` if None.
        dense_width: factor on the sizes of G2's and D2's dense layers, the info vector's included, the labels' not;
            `width` if None.
    """

    variant: str = "HistoryNet"
    image_size: int = 224
    width: float = 1.0
    num_classes: int | None = None
    features_width: float | None = None
    dense_width: float | None = None

    def __post_init__(self):
        widths = [factor for factor in (self.width, self.features_width, self.dense_width) if factor is not None]
        if self.variant not in VARIANTS:
            raise ValueError(f"a model of {self.variant!r}, which this version does not know")
        if not 16 <= self.image_size <= 4096 or self.image_size % 8:
            raise ValueError(f"{self.image_size} is no side of its pictures: 16 to 4096, a multiple of 8")
        if not all(0 < factor <= 16 for factor in widths):
            raise ValueError("its widths must be above 0 and at most 16")
        if self.num_classes is not None and not 0 < self.num_classes < 10**6:
            raise ValueError(f"{self.num_classes} is no number of classes")
        if self.num_classes is None:
            object.__setattr__(self, "num_classes", VARIANTS[self.variant].num_classes)
        for factor in ("features_width", "dense_width"):
            if getattr(self, factor) is None:
                object.__setattr__(self, factor, self.width)

    def channels(self, full: int) -> int:
        """The channel count of a layer that has `full` channels in the paper."""
        return scaled(full, self.width)

    def feature_channels(self, full: int) -> int:
        """The same in VGG16's first three blocks."""
        return scaled(full, self.features_width)

    def dense_units(self, full: int) -> int:
        """The size of a dense layer of G2 or D2 that has `full` units in the paper."""
        return scaled(full, self.dense_width)

    @property
    def vgg16_channels(self) -> list[int]:
        """The channel counts of VGG16's four blocks; the last one takes part in the width of the paths."""
        # Imported here: what tells the variants apart needs no Keras, which takes seconds to import.
        from historynet.systems import vgg16

        counts = [channels for channels, _ in vgg16.BLOCKS]
        return [*map(self.feature_channels, counts[:3]), self.channels(counts[3])]

    @property
    def outputs(self) -> tuple[str, ...]:
        return VARIANTS[self.variant].outputs
