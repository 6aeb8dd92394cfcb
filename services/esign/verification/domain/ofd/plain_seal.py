"""Seals that may stand over print: ink in a seal's colours on a ground that is clear.

The colours are those that `revisions.domain.plain_look` asks of a seal in a PDF. Pages of an OFD are not drawn here, so
a seal must also leave most of its place clear, for print to be read through it.
"""

import numpy as np

from services.esign.domain import png
from services.esign.ses.domain.values import Picture

# 850 pixels an inch at 42 mm: sharper than print.
_MOST_PIXELS = 2_000_000
_RGBA = 6
# Samples of 0 to 255: a colour has one strong channel and one weak one, and less light than paper. From which opacity
# on a pixel is ink.
_STRONG, _WEAK, _LIGHT, _OPAQUE = 127, 76, 153, 7
# Most of the whole, and of each square of so many mm: about the star of a round seal there is a half.
_MOST_INK, _MOST_NEAR, _NEAR_MM = 0.5, 2 / 3, 8


def is_plain_seal(picture: Picture) -> bool:
    """Tells whether a picture is a PNG whose every visible pixel has a seal's colour, and that hides no print below."""
    try:
        header = png.read_header(picture.data)
        if header.width * header.height > _MOST_PIXELS or header.colour != _RGBA or picture.kind.lower() != "png":
            return False
        pixels = png.read_pixels(picture.data)
    except png.PngError:
        return False
    ink, colours = pixels[:, :, 3] > _OPAQUE, pixels[:, :, :3]
    light = colours > _LIGHT
    is_light = light[:, :, 1] & (light[:, :, 0] | light[:, :, 2])
    in_colour = (colours > _STRONG).any(axis=2) & (colours <= _WEAK).any(axis=2) & ~is_light
    if (ink & ~in_colour).any() or ink.mean() > _MOST_INK:
        return False
    high = max(1, min(header.height, round(_NEAR_MM * header.height / picture.height_mm)))
    wide = max(1, min(header.width, round(_NEAR_MM * header.width / picture.width_mm)))
    # Sums of all that is above and to the left: of a square by its four corners.
    sums = np.pad(ink.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32), ((1, 0), (1, 0)))
    near = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    return bool(near.max() <= _MOST_NEAR * high * wide)
