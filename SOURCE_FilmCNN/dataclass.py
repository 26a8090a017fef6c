"""What goes into the films CNN and what comes out of it.

| field  | shape of one sample | read from   | values                                                       |
|--------|---------------------|-------------|--------------------------------------------------------------|
| L      | (176, 176, 1)       | the picture | luminance, 0..1                                              |
| ab     | (176, 176, 2)       | the picture | chrominance, 0..1; gray is 128/255                           |
| logits | (44, 44, 313)       |             | predicted: of the 313 colours at a quarter of the side       |

A batch holds the fields with the sample as first axis, all float32.
"""

from historynet.data import mhmd

FIELDS = {"L": mhmd.Pictures, "ab": mhmd.Pictures}
"""What a batch holds, and who reads it."""
