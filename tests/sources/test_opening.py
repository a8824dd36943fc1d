import subprocess
import sys

import pytest
from PIL import Image

from byoc_kit.media.clip import Clip
from byoc_kit.media.decode import MediaError
from byoc_kit.sources import WEBCAM, is_clip_source, open_source, suggestions
from byoc_kit.sources.image_folder import ImageFolder
from byoc_kit.sources.network_video import NetworkVideo
from byoc_kit.sources.synthetic import Synthetic

NEXT_STEP = "give the path of a video file, a folder of images, a URL, or synthetic:bars"


def test_a_path_a_folder_a_pattern_and_a_url_each_give_their_source(tmp_path, clip, monkeypatch):
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    monkeypatch.chdir(tmp_path)
    for source, kind in {
        clip: Clip,
        str(clip): Clip,
        tmp_path: ImageFolder,
        ".": ImageFolder,
        "synthetic": Synthetic,
        "synthetic:noise": Synthetic,
        "rtsp://camera/live": NetworkVideo,
        "RTMP://host/live": NetworkVideo,
        "udp://127.0.0.1:1234": NetworkVideo,
        "srt://host:9000": NetworkVideo,
    }.items():
        opened = open_source(source)
        assert type(opened) is kind
        assert is_clip_source(opened) is (kind is not NetworkVideo)


def test_a_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_source("~").count == 1


def test_what_is_suggested_can_be_opened_but_for_the_webcam(tmp_path, clip, monkeypatch):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "bunny.mp4").symlink_to(clip)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "1.png")
    monkeypatch.chdir(tmp_path)
    assert [open_source(name).name for name in suggestions(".") if name != WEBCAM] == [
        "bunny.mp4",
        "images/ (1 picture)",
        "bars",
        "ball",
        "ramp",
        "noise",
    ]


@pytest.mark.parametrize("source", ["no.mp4", "folder/no.mp4", "bars", "C:\\clip.mp4", "synthetics"])
def test_what_is_neither_is_named_with_what_to_give(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MediaError) as raised:
        open_source(source)
    assert str(raised.value) == f"there is no clip {source}; {NEXT_STEP}"


def test_nothing_is_refused_with_what_to_give():
    with pytest.raises(MediaError) as raised:
        open_source("")
    assert str(raised.value) == f"there is no clip to play; {NEXT_STEP}"


def test_a_scheme_that_is_not_played_is_named():
    with pytest.raises(MediaError, match=r"ftp:// is nothing that can be played; give a URL with http, https, rtmp"):
        open_source("ftp://host/a.mp4")


def test_importing_the_package_loads_neither_a_server_nor_a_notebook():
    code = "import sys, byoc_kit.sources; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "av" in modules
    assert not {"fastapi", "uvicorn", "IPython", "ipywidgets"} & set(modules)
