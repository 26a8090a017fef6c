"""What the readers and writers of pictures accept, and their defaults; imports nothing, so that `--help` is quick."""

BILINEAR, GUIDED = "bilinear", "guided"
UPSAMPLINGS = (BILINEAR, GUIDED)
"""How a predicted chrominance is brought to a picture's size: as the released program does, or along L's edges."""

MAX_MEGAPIXELS = 200
"""Files that claim more are refused."""

QUALITY = 95
"""Of JPEG and WebP files, 1 to 100; OpenCV's default for JPEG."""
