"""What goes into the parser and what comes out of it.

| field   | shape of one sample | read from                          | values                                   |
|---------|---------------------|------------------------------------|------------------------------------------|
| rgb     | (192, 128, 3)       | the picture, one person or a part  | red, green, blue, 0..255                 |
| classes | (192, 128)          | NAME_seg.* in TRAIN_DATA_seg       | numbers of the classes                   |
| logits  | (192, 128, 13)      |                                    | predicted: of the classes                |

A batch holds the fields with the sample as first axis, all float32.
"""

from historynet.collecting import parsed

FIELDS = {"rgb": parsed.Varied, "classes": parsed.Varied}
"""What a batch holds, and who reads it."""
