"""Pictures that stay in the notebook: a contact sheet of a run, and the last picture for when no kernel runs."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import product

from PIL import Image, ImageDraw, ImageFont

from byoc_kit.core.pixels import Pixels

CELLS = 6
WITHHELD = "withheld"
NAMES = "input", "output of process_frame"
_WIDEST, _NARROWEST = 1280, 480
_LANDSCAPE_COLUMNS, _PORTRAIT_COLUMNS = 3, 6
_NARROWEST_CELL = 150
_FLATTEST, _TALLEST = 1 / 8, 2
_THUMBNAIL = (640, 1280)
_GAP = 8
_TEXT, _NO_PICTURE = "#202020", "#e4e4e4"
_QUALITIES, _POOREST = (80, 65, 50), 10
_SMALLEST_FONT = 10
ALT = "Input (left) and output (right) of process_frame"
# The poster is below the live preview and shows only when the preview is gone; this style also hides JupyterLab's
# "model not found" above it. A picture in the widget's own output would not show: front ends choose the widget.
_HIDDEN = """<style>
.jp-OutputArea:has(.byoc-preview) > .jp-OutputArea-child:has(.byoc-poster),
.jp-OutputArea-child:has(+ .jp-OutputArea-child .byoc-poster) > .jupyter-widgets:not(:has(*)) {{ display: none }}
.byoc-poster {{ max-width: 100%; border-radius: 4px }}
</style>
{poster}"""
_PICTURE = '<img class="byoc-poster" alt="{alt}" src="data:image/jpeg;base64,{data}">'
_NONE = '<p class="byoc-poster">The preview had no picture yet when the notebook was saved; run its cell to see it.</p>'


@dataclass(frozen=True)
class SheetFrame:
    """One frame of the sheet: its number and time, both pictures at a small size, and their full sizes (width, height).

    If there is no output, ``missing`` says why.
    """

    number: int
    time_s: float
    before: Image.Image
    before_size: tuple[int, int]
    after: Image.Image | None = None
    after_size: tuple[int, int] | None = None
    missing: str = WITHHELD

    @property
    def caption(self) -> str:
        """The text above the pictures."""
        return f"frame {self.number}, {self.time_s:.2f} s"

    @property
    def note(self) -> str:
        """The text below them, if the output has another size."""
        if self.after_size is None or self.after_size == self.before_size:
            return ""
        width, height = self.after_size
        return f"output {width}x{height}"


def spread(count: int, cells: int = CELLS) -> list[int]:
    """Return the numbers of at most ``cells`` of ``count`` frames, evenly spread from the first to the last."""
    if count <= cells:
        return list(range(count))
    return [round(cell * (count - 1) / (cells - 1)) for cell in range(cells)]


def thumbnail(pixels: Pixels) -> Image.Image:
    """Copy uint8 ``[H, W, 3]`` pixels, scaled down to the size at which the sheet shows them."""
    image = Image.fromarray(pixels)
    image.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image


def contact_sheet(
    shots: Sequence[SheetFrame], *, width: int, limit_bytes: int, names: tuple[str, str] = NAMES
) -> bytes:
    """Draw one to six shots, about ``width`` pixels a row, as a JPEG of at most ``limit_bytes`` (some kB at least).

    If the sheet is too large, it loses quality first and then width. The captions are drawn again at each size, so they
    stay legible. ``names`` say what the upper and the lower pictures are.
    """
    sizes = _widths(width)
    for sheet_width, quality in product(sizes, _QUALITIES):
        data = _jpeg(draw(shots, sheet_width, names), quality)
        if len(data) <= limit_bytes:
            return data
    return _jpeg(draw(shots, sizes[-1], names), _POOREST)


def draw(shots: Sequence[SheetFrame], width: int, names: tuple[str, str] = NAMES) -> Image.Image:
    """Draw the sheet: three columns, or six of portrait pictures, or fewer if a caption would have no room."""
    is_portrait = shots[0].before.height > shots[0].before.width
    most = _PORTRAIT_COLUMNS if is_portrait else _LANDSCAPE_COLUMNS
    columns = min(len(shots), most, width // _NARROWEST_CELL)
    cell = _Cell.of(shots, (width - _GAP) // max(2, columns) - _GAP)
    rows = -(-len(shots) // columns)
    size = (_GAP + columns * (cell.width + _GAP), 2 * _GAP + cell.line + rows * (cell.height + _GAP))
    sheet = Image.new("RGB", size, "white")
    _write(sheet, (_GAP, _GAP), "{} above, {} below".format(*names), cell, max_width=size[0] - 2 * _GAP)
    for index, shot in enumerate(shots):
        row, column = divmod(index, columns)
        left = _GAP + column * (cell.width + _GAP)
        cell.draw(sheet, shot, left, 2 * _GAP + cell.line + row * (cell.height + _GAP))
    return sheet


def describe(shots: Sequence[SheetFrame], source: str, names: tuple[str, str] = NAMES) -> str:
    """Describe the sheet in words."""
    numbers = ", ".join(str(shot.number) for shot in shots)
    said = f"Contact sheet of {source}: {names[0]} above and {names[1]} below, frames {numbers}"
    without: dict[str, list[str]] = {}
    for shot in shots:
        if shot.after is None:
            without.setdefault(shot.missing, []).append(str(shot.number))
    return said + "".join(f"; {', '.join(numbers)} {missing}" for missing, numbers in without.items())


@dataclass(frozen=True)
class _Cell:
    """The space for one shot; all have the same size."""

    width: int
    picture_height: int
    font_size: int
    has_notes: bool

    @classmethod
    def of(cls, shots: Sequence[SheetFrame], width: int) -> _Cell:
        tallest = max(shot.before.height / shot.before.width for shot in shots)
        height = round(width * min(max(tallest, _FLATTEST), _TALLEST))
        return cls(width, height, max(12, min(20, width // 12)), has_notes=any(shot.note for shot in shots))

    @property
    def line(self) -> int:
        return round(self.font_size * 1.3)

    @property
    def height(self) -> int:
        return self.line * (1 + self.has_notes) + 2 * self.picture_height + 2

    def draw(self, sheet: Image.Image, shot: SheetFrame, left: int, top: int) -> None:
        _write(sheet, (left, top), shot.caption, self, max_width=self.width)
        top += self.line
        self._draw_picture(sheet, shot.before, left, top)
        top += self.picture_height + 2
        self._draw_picture(sheet, shot.after, left, top)
        if shot.after is None:
            middle = (left + self.width // 2, top + self.picture_height // 2)
            _write(sheet, middle, shot.missing, self, max_width=self.width, anchor="mm")
        _write(sheet, (left, top + self.picture_height), shot.note, self, max_width=self.width)

    def _draw_picture(self, sheet: Image.Image, picture: Image.Image | None, left: int, top: int) -> None:
        sheet.paste(_NO_PICTURE, (left, top, left + self.width, top + self.picture_height))
        if picture is not None:
            _paste(sheet, picture, (left, top, self.width, self.picture_height))


def _paste(sheet: Image.Image, picture: Image.Image, box: tuple[int, int, int, int]) -> None:
    """Draw a picture in the middle of the box, as large as fits."""
    left, top, width, height = box
    scale = min(width / picture.width, height / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    # When enlarged, single pixels stay sharp.
    resample = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    sheet.paste(picture.resize(size, resample), (left + (width - size[0]) // 2, top + (height - size[1]) // 2))


def _write(
    sheet: Image.Image, at: tuple[int, int], text: str, cell: _Cell, *, max_width: int, anchor: str = "la"
) -> None:
    """Write a line. If it does not fit, write it smaller, and then cut it."""
    for size in range(cell.font_size, _SMALLEST_FONT - 1, -1):
        font = ImageFont.load_default(size=size)
        if font.getlength(text) <= max_width:
            break
    while font.getlength(text) > max_width:
        text = text.removesuffix("...")[:-1] + "..."
    ImageDraw.Draw(sheet).text(at, text, fill=_TEXT, font=font, anchor=anchor)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def _widths(width: int) -> list[int]:
    def falling(width: int) -> Iterator[int]:
        while width > _NARROWEST:
            yield width
            width = width * 3 // 4
        yield _NARROWEST

    return list(falling(min(width, _WIDEST)))


class Poster:
    """An output of the running cell that stays hidden as long as the page shows the preview itself."""

    def __init__(self) -> None:
        self._id = f"byoc-poster-{uuid.uuid4().hex}"
        self._is_there = False

    def publish(self, jpeg: bytes | None) -> None:
        """Put a picture into the notebook, in place of the last one; ``None`` means that there is none yet."""
        from IPython.display import publish_display_data

        poster = _NONE if jpeg is None else _PICTURE.format(alt=ALT, data=b64encode(jpeg).decode())
        bundle = {"text/html": _HIDDEN.format(poster=poster), "text/plain": f"<{ALT}>"}
        publish_display_data(bundle, transient={"display_id": self._id}, update=self._is_there)
        self._is_there = True
