import asyncio
from functools import partial

import pytest

from byoc_kit.errors import ByocKitError
from byoc_kit.media.paced_clip import live_clip
from byoc_kit.system.concurrency import on_thread
from byoc_kit.trickle.buffers import ByteInlet
from byoc_kit.verification.stream_clip import note_arrivals, require_target
from byoc_kit.verification.target import Where

PROCESS_FRAME = "def process_frame(frame):\n    return frame"


async def noted(data):
    """Return what is noted of bytes that come back."""
    inlet, arrived_s = ByteInlet(), {}
    noting = asyncio.create_task(on_thread(partial(note_arrivals, inlet, arrived_s), name="receive"))
    await inlet.feed(data)
    inlet.end()
    await noting
    return arrived_s


async def test_each_picture_is_noted_by_its_time(small_clip):
    clip = live_clip(small_clip)
    arrived_s = await noted(clip.data)
    assert arrived_s.keys() == clip.picture_times_s.keys()
    assert list(arrived_s.values()) == sorted(arrived_s.values())


async def test_bytes_that_are_no_video_are_noted_as_nothing():
    assert await noted(b"<html>502 Bad Gateway</html>" * 1000) == {}


def test_a_bundle_that_announces_another_model_is_not_streamed(export):
    bundle = export(PROCESS_FRAME)
    require_target(bundle, Where())
    (bundle.folder / "aiModels.json").write_text("[]")
    with pytest.raises(ByocKitError, match=r"aiModels\.json does not name tint; export the notebook again"):
        require_target(bundle, Where())
