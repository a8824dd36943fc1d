"""What a newcomer returns by mistake: the message says what to write, and what it says to write is a picture."""

import inspect

import av
import numpy as np
import pytest
import torch
from PIL import Image

from byoc_kit.core.frames import FrameError, VideoFrame, as_frame
from byoc_kit.core.processor import FrameProcessor, Hooks
from byoc_kit.core.run_frames import run_frames

RANDOM = np.random.default_rng(1)
RGB = RANDOM.random((5, 7, 3))
GRAY = RANDOM.random((5, 7))


def source():
    return VideoFrame.from_pixels(np.zeros((5, 7, 3), np.uint8))


ARRAYS = [
    (RGB, "(image * 255).astype(np.uint8)"),
    (RGB * 255, "image.clip(0, 255).astype(np.uint8)"),
    ((RGB * 255).astype(np.int32), "image.clip(0, 255).astype(np.uint8)"),
    (RGB > 0.5, "image.astype(np.uint8) * 255"),
    (RGB.transpose(2, 0, 1), "(image.transpose(1, 2, 0) * 255).astype(np.uint8)"),
    ((RGB * 255).astype(np.uint8)[None], "image[0]"),
    ((RGB * 255).astype(np.uint8).transpose(2, 0, 1), "image.transpose(1, 2, 0)"),
    ((GRAY * 255).astype(np.uint8), "np.stack([image] * 3, axis=-1)"),
    ((GRAY * 255).astype(np.uint8)[None], "np.stack([image[0]] * 3, axis=-1)"),
    ((GRAY * 255).astype(np.uint8)[..., None], "np.repeat(image, 3, axis=-1)"),
    (GRAY, "(np.stack([image] * 3, axis=-1) * 255).astype(np.uint8)"),
    (np.dstack([RGB, GRAY]), "(image[..., :3] * 255).astype(np.uint8)"),
    (np.zeros((5, 7, 4), np.uint8), "image[..., :3]"),
    (np.zeros((4, 5, 7), np.uint8), "image[:3].transpose(1, 2, 0)"),
]
TENSORS = [
    (torch.rand(3, 5, 7), "image.permute(1, 2, 0)"),
    (torch.rand(1, 3, 5, 7), "image[0].permute(1, 2, 0)"),
    (torch.rand(5, 7), "torch.stack([image] * 3, dim=-1)"),
    (torch.rand(1, 5, 7), "torch.stack([image[0]] * 3, dim=-1)"),
    (torch.rand(5, 7, 1), "image.expand(-1, -1, 3)"),
    (torch.rand(5, 7, 4), "image[..., :3]"),
    (torch.rand(1, 4, 5, 7), "image[0][:3].permute(1, 2, 0)"),
    (torch.rand(5, 7, 3) > 0.5, "image.float()"),
    (torch.zeros(5, 7, 3, dtype=torch.int64), "image.clamp(0, 255).to(torch.uint8)"),
    (torch.zeros(3, 5, 7, dtype=torch.int64), "image.permute(1, 2, 0).clamp(0, 255).to(torch.uint8)"),
]
OTHERS = [
    (Image.new("L", (7, 5)), 'np.asarray(image.convert("RGB"))'),
    (av.VideoFrame(8, 8, "yuv420p"), 'image.to_ndarray(format="rgb24")'),
    ([[[0, 0, 0]]], "np.array(image, dtype=np.uint8)"),
]


@pytest.mark.parametrize(("image", "written"), [*ARRAYS, *TENSORS, *OTHERS])
def test_the_message_says_what_to_write_and_that_is_a_picture(image, written):
    with pytest.raises(FrameError) as raised:
        as_frame(image, source())
    said = str(raised.value)
    assert "; write " in said
    assert said.partition("; write ")[2].partition(", or ")[0] == written
    done = eval(written, {"np": np, "torch": torch, "image": image})  # noqa: S307  # what the message says
    made = as_frame(done, source())
    assert made.pixels.shape[2] == 3


@pytest.mark.parametrize(
    ("result", "hint"),
    [
        ((number for number in ()), "write `return` in place of `yield`"),
        (True, "return frame, or what you made of its pixels"),
        ("done", "return frame, or what you made of its pixels"),
        ((source(), 3), "return the picture alone"),
        ([np.zeros((5, 7, 3), np.uint8)], "return the picture alone"),
        (np.zeros((2, 5, 7, 3), np.uint8), "return one picture, of shape"),
        (torch.zeros(0, 7, 3), "it has no pixels"),
        (np.full((5, 7, 3), 1j), "return one picture, of shape"),
    ],
)
def test_other_mistakes_are_said_too(result, hint):
    with pytest.raises(FrameError, match=hint):
        as_frame(result, source())


def test_what_waits_for_an_await_is_reported():
    class Later:
        def __await__(self):
            yield

    with pytest.raises(FrameError, match="write `await` before the call"):
        as_frame(Later(), source())


def returns_once(frame):
    wrong = frame.pixels / 255
    del frame
    return wrong


def returns_in_two_places(frame):
    if frame.pts:
        return frame
    return frame.pixels / 255


@pytest.mark.parametrize(("function", "offset"), [(returns_once, 3), (returns_in_two_places, 0)])
def test_a_wrong_result_is_of_the_return_where_there_is_one(function, offset):
    processor = FrameProcessor(Hooks.of(function))
    ran = []
    run_frames(processor, [source()], processor.params, ran.append)
    line = inspect.getsourcelines(function)[1] + offset
    assert processor.where("process_frame", ran[0].error) == f"test_picture_advice.py, line {line}"
