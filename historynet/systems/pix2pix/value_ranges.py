"""The values inside the networks: L and ab in -1..1, as pix2pix has them (R19)."""

from historynet.pictures import color

AB_RANGE = 110
"""Lab units that are 1 inside the networks; all of sRGB has less."""

L_SCALED = {"scale": 2.0, "offset": -1.0}
"""From L in 0..1."""

AB_SCALED = {"scale": 255 / AB_RANGE, "offset": -color.GRAY / AB_RANGE}
"""From ab in 0..1."""

AB = {"scale": AB_RANGE / 255, "offset": color.GRAY / 255}
"""Back from it."""
