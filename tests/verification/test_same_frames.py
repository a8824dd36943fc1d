"""The preview, regression and verify see the same frames of a clip."""

import numpy as np
import pytest
from numbered_clips import copy_from, make_clip, turn

from byoc_kit.core.hooks import Hooks
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.still_preview import StillPreview
from byoc_kit.media.paced_clip import live_clip
from byoc_kit.regress import process_clip
from byoc_kit.verification.replay import Task, replay

MADE = {
    "b-frames.mkv": lambda folder: make_clip(folder / "b-frames.mkv", b_frames=2),
    "b-frames.avi": lambda folder: make_clip(folder / "b-frames.avi", b_frames=2),
    "trimmed": lambda folder: copy_from(make_clip(folder / "whole.mp4", b_frames=2), folder / "trimmed.mp4", 12),
    "turned": lambda folder: turn(make_clip(folder / "turned.mp4"), (0, 1, -1, 0)),
}
COUNTS = {"b-frames.mkv": 30, "b-frames.avi": 30, "trimmed": 18, "turned": 30}


@pytest.mark.parametrize("name", MADE)
def test_preview_regression_and_verify_see_the_same_frames(tmp_path, name):
    clip = MADE[name](tmp_path)
    live = live_clip(clip)
    sent = tmp_path / "sent.ts"
    sent.write_bytes(live.data)
    seen = {}

    def hooks_of(reader):
        def process_frame(frame):
            seen.setdefault(reader, []).append((frame.time_s, frame.pixels.copy()))
            return frame

        return process_frame

    StillPreview(Version(hooks_of("preview")), clip, width=192, frames=100)
    shown = seen["preview"][0][1]
    process_clip(FrameProcessor(Hooks.of(hooks_of("regression"))), clip, params={}, width=shown.shape[1], every=1)
    replay(FrameProcessor(Hooks.of(hooks_of("verify"))), Task(sent, {}, (), tmp_path), lambda *_: "here")
    assert {reader: len(frames) for reader, frames in seen.items()} == dict.fromkeys(seen, COUNTS[name])
    for frames in seen.values():
        for (time_s, pixels), (shown_s, expected) in zip(frames, seen["preview"], strict=True):
            assert time_s - frames[0][0] == pytest.approx(shown_s - seen["preview"][0][0], abs=0.001)
            assert np.array_equal(pixels, expected)
