import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from byoc_kit.core.frames import PytrickleVideoFrame, VideoFrame
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.stage import Processed
from byoc_kit.jupyter.preview.outcomes import Outcome, Outcomes, largest_of, outcome_of

MADE, NAN, OF_255, WITHHELD, FAILED = Outcome


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([], None),
        ([MADE, MADE], None),
        ([FAILED, FAILED], "every frame fails"),
        ([FAILED, MADE, MADE], "1 of 3 frames fail"),
        ([WITHHELD, FAILED], "1 of 2 frames fail"),
        ([WITHHELD, WITHHELD], "no picture goes out"),
        ([WITHHELD, MADE], "1 of 2 frames are withheld"),
        ([MADE, NAN], "process_frame returns NaN"),
        ([MADE, OF_255], "the tensor is not 0 to 1"),
    ],
)
def test_what_is_wrong_with_the_last_frames_is_reported(outcomes, said):
    seen = Outcomes()
    for outcome in outcomes:
        seen.add(outcome)
    trouble = seen.trouble()
    assert (trouble and trouble.text) == said


def test_a_forgotten_return_is_named():
    seen = Outcomes()
    seen.add(WITHHELD)
    said = "process_frame returned None: no picture goes out; is a `return` missing?"
    assert seen.trouble().advice == said


def test_what_is_longer_ago_than_two_seconds_counts_no_more_unless_it_is_the_last():
    now_s = [0.0]
    seen = Outcomes(clock=lambda: now_s[0])
    seen.add(FAILED)
    now_s[0] = 60.0
    assert seen.trouble().text == "every frame fails"
    seen.add(MADE)
    assert seen.trouble() is None


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (None, False),
        (torch.full((4, 4, 3), torch.nan), True),
        (torch.tensor([[[0.0, torch.inf, torch.nan]]]), True),
        (torch.tensor([[[0.0, torch.inf, -torch.inf]]]), False),
        (torch.zeros(0, 4, 3), False),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), False),
        (np.zeros((4, 4, 3), np.uint8), False),
        (VideoFrame(torch.full((1, 4, 4, 3), torch.nan), 0, 1), True),
        (PytrickleVideoFrame(torch.full((1, 4, 4, 3), torch.nan), 0, 1), True),
    ],
)
def test_a_nan_is_found_in_whatever_is_returned(returned, expected):
    assert math.isnan(largest_of(returned)) is expected


@pytest.mark.parametrize(("largest", "expected"), [(4.0, MADE), (255.0, OF_255), (torch.inf, MADE), (torch.nan, NAN)])
def test_a_tensor_of_the_values_of_bytes_is_known(largest, expected):
    tensor = torch.zeros(1, 4, 4, 3)
    tensor[0, 1, 2, 0] = largest
    frame = VideoFrame(tensor, 0, Fraction(1, 25))
    processor = FrameProcessor(Hooks.of(lambda frame: frame))
    result = Processed(frame, frame, processor, processor.params, 0.0, 0.0)
    assert outcome_of(result, largest=largest_of(tensor)) is expected
