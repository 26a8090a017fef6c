"""What goes into the labeller and what comes out of it.

| field    | shape of one sample | read from                        | values                                  |
|----------|---------------------|----------------------------------|-----------------------------------------|
| rgb      | (224, 224, 3)       | the stored picture, squashed     | red, green, blue, 0..255                |
| features | (2048,)             | the same, with FROZEN instead    | of ResNet50 before its last layer       |
| label    | (1,)                | WORK/labels/hand.csv             | number of the label                     |
| logits   | (42,)               |                                  | predicted: of the labels                |

A batch holds the fields with the sample as first axis, all float32.
"""

from historynet.collecting import labelled

FIELDS = {"rgb": labelled.Pictures, "label": labelled.LabelNumbers}
"""What a batch holds, and who reads it."""
