from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from numbered_clips import HEIGHT, WIDTH, make_clip, numbers, turn

from byoc_kit.media.demux import decoded, open_clip, readable, video_stream
from byoc_kit.media.presentation import shown, turn_of

# Display matrices (a, b, c, d) and the filters that ffmpeg uses for them.
TURNS = {
    (1, 0, 0, 1): (),
    (0, 1, -1, 0): (("transpose", "clock"),),
    (0, -1, 1, 0): (("transpose", "cclock"),),
    (-1, 0, 0, -1): (("hflip", None), ("vflip", None)),
}


def frames_of(path):
    with open_clip(path) as container:
        stream = video_stream(container)
        pictures = list(decoded(stream, readable(container, stream)))
        upright = turn_of(pictures[0])
        return upright, list(shown(stream, pictures, upright))


@pytest.mark.parametrize("matrix", TURNS)
def test_a_picture_is_turned_as_its_display_matrix_says(tmp_path, matrix):
    path = make_clip(tmp_path / "clip.mp4", count=2)
    _, (plain, *_) = frames_of(path)
    upright, (turned, *_) = frames_of(turn(path, matrix))
    assert upright == TURNS[matrix]
    # Rows count downwards, so the matrix of a quarter turn clockwise is numpy's turn by -1.
    by = {(): 0, (("transpose", "clock"),): -1, (("transpose", "cclock"),): 1}.get(upright, 2)
    difference = np.abs(np.rot90(plain.pixels, by).astype(int) - turned.pixels)
    assert difference.mean() < 2


def test_frames_keep_their_order_and_get_their_times(tmp_path):
    _, frames = frames_of(make_clip(tmp_path / "clip.mp4", count=5, b_frames=2))
    assert numbers(frames) == [0, 1, 2, 3, 4]
    steps = {(after.pts - before.pts) * after.time_base for before, after in pairwise(frames)}
    assert steps == {Fraction(1, 25)}


def test_pixels_that_are_not_square_stay_as_stored_and_a_turn_turns_their_shape(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", count=1, aspect=Fraction(4, 3))
    _, (frame, *_) = frames_of(path)
    assert (frame.width, frame.height, frame.origin.display.pixel_aspect) == (WIDTH, HEIGHT, Fraction(4, 3))
    _, (frame, *_) = frames_of(turn(path, (0, 1, -1, 0)))
    assert (frame.width, frame.height, frame.origin.display.pixel_aspect) == (HEIGHT, WIDTH, Fraction(3, 4))
