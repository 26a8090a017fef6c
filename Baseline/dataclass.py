"""What goes into the Baseline and what comes out of it.

| field   | shape of one sample | read from        | predicted by | values                                      |
|---------|---------------------|------------------|--------------|---------------------------------------------|
| L       | (224, 224, 1)       | the picture      |              | luminance, 0..1                             |
| ab      | (224, 224, 2)       | the picture      | G1           | chrominance, 0..1; gray is 128/255          |
| label   | (1000,)             | VGG16's guess    | G2           | classes of ImageNet, 0..1 with sum 1        |

A batch holds L and ab with the sample as first axis, float32; the label is computed from L when training.
"""

from historynet.data import mhmd

FIELDS = {"L": mhmd.Pictures, "ab": mhmd.Pictures}
"""What a batch holds, and who reads it."""
