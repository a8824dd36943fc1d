import pytest
from PIL import Image

from byoc_kit.media.clip import Clip
from byoc_kit.sources.image_folder import ImageFolder
from byoc_kit.sources.network_video import NetworkVideo
from byoc_kit.sources.source import ClipSource, LiveSource, is_clip_source
from byoc_kit.sources.synthetic import Synthetic
from byoc_kit.sources.trickle_video import TrickleVideo


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    return tmp_path


def members(protocol):
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_each_clip_source_has_what_the_protocol_says_and_is_told_from_a_live_one(clip, folder):
    for source in (Clip(clip), ImageFolder(folder), Synthetic()):
        assert members(ClipSource) == {"name", "count", "fps", "time_s", "frames"}
        assert [name for name in members(ClipSource) if not hasattr(source, name)] == []
        assert is_clip_source(source)


def test_each_live_source_has_what_the_protocol_says(clip):
    for source in (NetworkVideo("rtsp://127.0.0.1:9/live"), TrickleVideo("http://127.0.0.1:9/ai/trickle/in")):
        assert members(LiveSource) == {"name", "frames", "close"}
        assert [name for name in members(LiveSource) if not hasattr(source, name)] == []
        assert not is_clip_source(source)
