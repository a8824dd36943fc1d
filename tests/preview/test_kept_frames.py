import os

import pytest

from byoc_kit.preview import kept_frames
from byoc_kit.preview.kept_frames import room_bytes

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
