"""What goes into HistoryNet_Parsing and what comes out of it.

| field   | shape of one sample | read from        | predicted by | values                                      |
|---------|---------------------|------------------|--------------|---------------------------------------------|
| L       | (224, 224, 1)       | the picture      |              | luminance, 0..1                             |
| ab      | (224, 224, 2)       | the picture      | G1           | chrominance, 0..1; gray is 128/255          |
| label   | (42,)               | sign.txt         | G2           | era, nationality, garment: integers of      |
|         |                     |                  |              | sign.txt as they are; predicted: 0..1       |
| parsing | (224, 224, 1)       | NAME_seg.jpg     | G3           | luminance of the drawn parsing, 0..1        |

A batch holds the same fields with the sample as first axis, all float32. Samples without a label or a parsing picture
have zeros there and are left out of the loss (--allow-missing-labels, --allow-missing-parsing).
"""

from historynet.data import mhmd

FIELDS = {"L": mhmd.Pictures, "ab": mhmd.Pictures, "label": mhmd.Labels, "parsing": mhmd.Parsing}
"""What a batch holds, and who reads it."""
