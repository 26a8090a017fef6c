"""What goes into the gray VGG16 and what comes out of it.

| field  | shape of one sample | read from                     | values                                |
|--------|---------------------|-------------------------------|---------------------------------------|
| L      | (224, 224, 1)       | the picture                   | luminance, 0..1                       |
| label  | (1,)                | the folder, or PICTURE_LIST   | number of the class                   |
| logits | (1000,)             |                               | predicted: of the classes             |

A batch holds the fields with the sample as first axis, all float32.
"""

from historynet.data import classes, mhmd

FIELDS = {"L": mhmd.Pictures, "label": classes.ClassNumbers}
"""What a batch holds, and who reads it."""
