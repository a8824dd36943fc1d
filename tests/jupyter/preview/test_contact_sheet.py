from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from byoc_kit.jupyter.preview.contact_sheet import SheetFrame, contact_sheet, describe, draw, spread, thumbnail

pytestmark = pytest.mark.slow


def noise(width, height):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def plain(width, height, colour=(200, 30, 30)):
    return np.full((height, width, 3), colour, np.uint8)


def shot(number, before, after, **options):
    size = None if after is None else after.shape[1::-1]
    after = None if after is None else thumbnail(after)
    return SheetFrame(number, number / 25, thumbnail(before), before.shape[1::-1], after, size, **options)


def shots(count, before, after):
    return [shot(number, before, after) for number in range(count)]


def areas(sheet, colour):
    """Return how many patches a colour has on a sheet: along a row through each, and down a column."""
    found = (np.abs(np.asarray(sheet).astype(int) - colour).max(axis=2) < 12).astype(int)
    rows, columns = found[:, found.any(axis=0)], found[found.any(axis=1)]
    down = max(((np.diff(column, prepend=0) == 1).sum() for column in rows.T), default=0)
    across = max(((np.diff(row, prepend=0) == 1).sum() for row in columns), default=0)
    return int(across), int(down)


@pytest.mark.parametrize(
    ("count", "numbers"),
    [
        (0, []),
        (1, [0]),
        (4, [0, 1, 2, 3]),
        (6, [0, 1, 2, 3, 4, 5]),
        (7, [0, 1, 2, 4, 5, 6]),
        (26, [0, 5, 10, 15, 20, 25]),
    ],
)
def test_frames_are_spread_from_the_first_to_the_last(count, numbers):
    assert spread(count) == numbers


@pytest.mark.parametrize(
    ("size", "count", "across", "down"),
    [
        ((160, 90), 6, 3, 2),
        ((161, 91), 6, 3, 2),
        ((90, 160), 6, 6, 1),
        ((160, 90), 2, 2, 1),
        ((160, 90), 1, 1, 1),
        ((90, 160), 4, 4, 1),
        ((1, 1), 6, 3, 2),
        ((3000, 3), 6, 3, 2),
        ((3, 3000), 6, 6, 1),
    ],
)
def test_each_frame_has_its_input_and_its_output(size, count, across, down):
    sheet = draw(shots(count, plain(*size, (200, 30, 30)), plain(*size, (30, 30, 200))), 1280)
    assert sheet.width <= 1280
    assert areas(sheet, (200, 30, 30)) == areas(sheet, (30, 30, 200)) == (across, down)


def test_an_output_of_another_size_is_shown_whole_with_its_size():
    tall = np.concatenate([plain(40, 50, (30, 200, 30)), plain(40, 50, (30, 30, 200))])
    made = shot(0, plain(160, 90), tall)
    assert made.note == "output 40x100"
    sheet = draw([made], 1280)
    assert areas(sheet, (30, 200, 30)) == areas(sheet, (30, 30, 200)) == (1, 1)
    assert sheet.height > draw([shot(0, plain(160, 90), plain(160, 90))], 1280).height


def test_a_frame_without_output_says_why():
    one = plain(160, 90)
    kept, gone, not_run = (
        draw([s], 1280) for s in (shot(0, one, one), shot(0, one, None), shot(0, one, None, missing=""))
    )
    assert areas(kept, (200, 30, 30)) == (1, 2)
    assert areas(gone, (200, 30, 30)) == (1, 1)
    assert np.asarray(gone).tobytes() != np.asarray(not_run).tobytes()  # the word


def test_the_words_name_what_is_seen():
    one = plain(16, 9)
    seen = [shot(0, one, one), shot(5, one, None), shot(9, one, None)]
    assert describe(seen, "clip.mp4") == (
        "Contact sheet of clip.mp4: input above and output of process_frame below, frames 0, 5, 9; 5, 9 withheld"
    )


@pytest.mark.parametrize(("number", "time_s"), [(9_999, 399.96), (10**12, 10**12)])
@pytest.mark.parametrize("width", [480, 700, 1280])
def test_a_caption_is_number_and_time_and_fits(number, time_s, width):
    assert shot(12, plain(9, 16), None).caption == "frame 12, 0.48 s"
    made = [SheetFrame(number, time_s, thumbnail(plain(9, 16)), (9, 16)) for _ in range(6)]
    sheet = np.asarray(draw(made, width).convert("L"))
    columns = width // 150 if width < 900 else 6
    cell = (width - 8) // columns
    below_title = sheet[30:]
    assert all((below_title[:, n * cell : n * cell + 8] == 255).all() for n in range(columns))


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (641, 361)])
@pytest.mark.parametrize("limit_bytes", [200_000, 60_000, 30_000])
def test_a_sheet_stays_below_its_limit_whatever_it_shows(size, limit_bytes):
    data = contact_sheet(shots(6, noise(*size), noise(*size)), width=1280, limit_bytes=limit_bytes)
    assert len(data) <= limit_bytes
    assert Image.open(BytesIO(data)).width > 400


def test_a_picture_of_8k_is_kept_small():
    image = thumbnail(plain(7680, 4320))
    assert image.size == (640, 360)
    assert image.getpixel((5, 5)) == (200, 30, 30)


def test_a_thumbnail_is_a_copy():
    pixels = plain(8, 8)
    image = thumbnail(pixels)
    pixels[:] = 0
    assert image.getpixel((0, 0)) == (200, 30, 30)
