"""What goes into Pix2Pix and what comes out of it.

| field   | shape of one sample | read from   | values                                              |
|---------|---------------------|-------------|-----------------------------------------------------|
| L       | (128, 128, 1)       | the picture | luminance, 0..1                                     |
| ab      | (128, 128, 2)       | the picture | chrominance, 0..1; gray is 128/255; also predicted  |
| patches | (14, 14, 1)         |             | the discriminator's: logits, above 0 for real       |

A batch holds the fields with the sample as first axis, all float32. Inside, both networks see L and ab in -1..1.
"""

from historynet.data import mhmd

FIELDS = {"L": mhmd.Pictures, "ab": mhmd.Pictures}
"""What a batch holds, and who reads it."""
