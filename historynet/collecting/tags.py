"""The tags of Clothing Co-Parsing (Yang, Luo and Lin 2014) -> the classes of the compact parser."""

from types import MappingProxyType

import cv2
import numpy as np

from historynet.systems.parser.architecture import CLASSES

_WORDS = """
null accessories bag belt blazer blouse bodysuit boots bra bracelet cape cardigan clogs coat dress
earrings flats glasses gloves hair hat heels hoodie intimate jacket jeans jumper leggings loafers
necklace panties pants pumps purse ring romper sandals scarf shirt shoes shorts skin skirt sneakers socks
stockings suit sunglasses sweater sweatshirt swimwear t-shirt tie tights top vest wallet watch wedges
"""

TAGS = tuple(_WORDS.split())
"""In their order: drawn in the colours that PASCAL has for 0, 1, 2, ..."""

_TAGS_OF = MappingProxyType(
    {
        "background": "null",
        "hat": "hat",
        "hair": "hair",
        "limbs": "skin",
        "upper-clothes": "blouse bodysuit bra hoodie intimate jumper shirt sweater sweatshirt swimwear t-shirt top "
        "vest",
        "coat": "blazer cape cardigan coat jacket suit",
        "dress": "dress romper",
        "pants": "jeans leggings panties pants shorts",
        "skirt": "skirt",
        "socks": "socks stockings tights",
        "shoes": "boots clogs flats heels loafers pumps sandals shoes sneakers wedges",
        "accessory": "accessories bag belt bracelet earrings glasses gloves necklace purse ring scarf sunglasses tie "
        "wallet watch",
    }
)

_CLASS_OF = np.zeros(len(TAGS), np.uint8)
for _name, _tags in _TAGS_OF.items():
    _CLASS_OF[[TAGS.index(tag) for tag in _tags.split()]] = CLASSES.index(_name)

_FACE = CLASSES.index("face")
_SKIN = TAGS.index("skin")
_BESIDE_FACES = [TAGS.index(tag) for tag in ("hair", "hat", "glasses", "sunglasses")]

_TOP = 0.35
"""Of a person's height: where faces are."""


def pascal_colours(count: int) -> np.ndarray:
    """PASCAL's colours, uint8 RGB (count, 3).

    Of a number's bits 0, 3, 6, ... are red's from the highest down, 1, 4, ... green's, 2, 5, ... blue's.
    """
    numbers = np.arange(count)
    colours = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (numbers >> (3 * bit + channel) & 1).astype(np.uint8) << (7 - bit)
    return colours


def classes(tags: np.ndarray) -> np.ndarray:
    """Numbers of tags (height, width) -> numbers of the compact parser's classes, uint8.

    Skin that touches hair, hat or glasses in the top of the person is the face, all other skin limbs.
    """
    found = _CLASS_OF[tags]
    rows = np.flatnonzero(tags.any(axis=1))
    if not len(rows):
        return found
    end = rows[0] + round(_TOP * (rows[-1] + 1 - rows[0]))
    top = tags[:end]
    beside = cv2.dilate(np.isin(top, _BESIDE_FACES).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    _, areas = cv2.connectedComponents((top == _SKIN).astype(np.uint8))
    touching = np.unique(areas[beside & (areas > 0)])
    found[:end][np.isin(areas, touching) & (areas > 0)] = _FACE
    return found
