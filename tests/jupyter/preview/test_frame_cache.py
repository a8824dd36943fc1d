import os

import av
import numpy as np
import pytest

from byoc_kit.jupyter.preview import frame_cache as kept_frames
from byoc_kit.jupyter.preview.frame_cache import KeptFrames, room_bytes
from byoc_kit.sources.open_source import open_source

MACHINE_BYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("limit", "memory"),
    [("67108864", 1 << 26), ("max", MACHINE_BYTES), ("9223372036854771712", MACHINE_BYTES), (None, MACHINE_BYTES)],
    ids=["limited", "not limited", "not limited, version 1", "no cgroup"],
)
def test_the_room_is_a_share_of_what_the_container_may_take(tmp_path, monkeypatch, limit, memory):
    file = tmp_path / "memory.max"
    if limit is not None:
        file.write_text(f"{limit}\n")
    monkeypatch.setattr(kept_frames, "_LIMITS", (file,))
    assert room_bytes() == min(1 << 30, memory // 32)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv420p10le", "yuv444p"])
@pytest.mark.parametrize("size", [(96, 64), (95, 63)], ids=["even", "odd"])
def test_a_frame_that_is_kept_has_the_pixels_and_the_time_that_it_had(tmp_path, pix_fmt, size):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1" if pix_fmt != "yuvj420p" else "mjpeg", rate=25)
        (stream.width, stream.height), stream.pix_fmt = size, pix_fmt
        pixels = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    frame = next(iter(open_source(path).frames()))
    kept = KeptFrames(1 << 20)
    kept.add(0, frame, 1)
    again = kept.get(0)
    assert (again.pts, again.time_base, again.width, again.height) == (frame.pts, frame.time_base, *size)
    assert np.array_equal(again.pixels, frame.pixels)
    if pix_fmt.endswith("420p") and size == (96, 64):
        assert again.origin.frame.planes[0].buffer_ptr != frame.origin.frame.planes[0].buffer_ptr
