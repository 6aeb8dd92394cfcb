"""Seals that may stand over print: ink in a seal's colours on a ground that is clear.

The colours are those that `revisions.domain.plain_look` asks of a seal in a PDF. Pages of an OFD are not drawn here, so
a seal must also leave most of its place clear, for print to be read through it, and differ from black by itself.
"""

import numpy as np

from services.esign.domain import png
from services.esign.ses.domain.values import Picture

# 850 pixels an inch at 42 mm: sharper than print.
_MOST_PIXELS = 2_000_000
_RGBA = 6
# Samples of 0 to 255: a colour has one strong channel and one weak one, less light than paper, and more than black
# print. From which opacity on a pixel is ink.
_STRONG, _WEAK, _LIGHT, _OPAQUE = 176, 76, 153, 7
_LIGHTNESS, _LEAST_LIGHTNESS = (0.299, 0.587, 0.114), 48
# Most of the whole; of each square of so many mm, for about the star of a round seal there is a half; and of each strip
# of so many mm, as long as some characters of a line and as high as one.
_MOST_INK = 0.5
_PLACES = ((8, 8, 2 / 3), (16, 4, 0.6), (4, 16, 0.6))


def is_plain_seal(picture: Picture) -> bool:
    """Tells whether a picture is a PNG whose every visible pixel has a seal's colour, and that hides no print below."""
    try:
        header = png.read_header(picture.data)
        if header.width * header.height > _MOST_PIXELS or header.colour != _RGBA or picture.kind.lower() != "png":
            return False
        pixels = png.read_pixels(picture.data)
        if not png.has_usual_colours(picture.data):
            return False
    except png.PngError:
        return False
    ink, colours = pixels[:, :, 3] > _OPAQUE, pixels[:, :, :3]
    light = colours > _LIGHT
    is_light = light[:, :, 1] & (light[:, :, 0] | light[:, :, 2])
    in_colour = (colours > _STRONG).any(axis=2) & (colours <= _WEAK).any(axis=2) & ~is_light
    in_colour &= colours @ np.array(_LIGHTNESS) >= _LEAST_LIGHTNESS
    # Pixels of several colours are grey together.
    has_one_colour = any(not (ink & (colours[:, :, at] <= _STRONG)).any() for at in range(3))
    if (ink & ~in_colour).any() or not has_one_colour or ink.mean() > _MOST_INK:
        return False
    # Sums of all that is above and to the left: of a part by its four corners.
    sums = np.pad(ink.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32), ((1, 0), (1, 0)))
    for across, down, most in _PLACES:
        high = max(1, min(header.height, round(down * header.height / picture.height_mm)))
        wide = max(1, min(header.width, round(across * header.width / picture.width_mm)))
        near = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
        if near.max() > most * high * wide:
            return False
    return True
