"""A frame's number in the picture, for people."""

from __future__ import annotations

from byoc_kit.frames import Pixels

_HEIGHT = 1 / 9  # of the picture
_WHITE = (255, 255, 255)


def draw_digits(pixels: Pixels, number: int, *, top: int) -> None:
    """Draw ``number`` white on black into uint8 ``[H, W, 3]`` pixels, on the left, from row ``top`` on."""
    import cv2

    text, font = str(number), cv2.FONT_HERSHEY_SIMPLEX
    height = round(pixels.shape[0] * _HEIGHT)
    margin, thickness = height // 4, max(1, height // 8)
    scale = cv2.getFontScaleFromHeight(font, height, thickness)
    width, _ = cv2.getTextSize(text, font, scale, thickness)[0]
    pixels[top : top + height + 2 * margin, margin : width + 3 * margin] = 0
    cv2.putText(pixels, text, (2 * margin, top + margin + height), font, scale, _WHITE, thickness, cv2.LINE_AA)
