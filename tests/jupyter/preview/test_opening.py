from pathlib import Path

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image
from preview_rig import invert

from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.live_preview import LivePreview


def test_a_source_that_cannot_be_played_leaves_no_widget(front_end):
    before = {*_instances}
    with pytest.raises(ByocKitError):
        LivePreview(Version(invert), "nowhere.mp4", width=64)
    assert {*_instances} <= before


def test_a_folder_of_images_shows_one_a_second(make_live, tmp_path):
    for number in range(3):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"{number}.png")
    feed = make_live(invert, tmp_path, fps=None)._player.feed
    assert feed.fps * feed.speed == 1
    feed.set_speed(1)
    assert make_live(invert, tmp_path, fps=5)._player.feed.speed == 1


def test_the_present_source_can_be_opened_again(make_live, front_end):
    live = make_live(invert, "synthetic:ball")
    live.play()
    front_end.wait_for_number(2)
    before = live._player.feed
    front_end.command(live, "source", None)
    front_end.wait_for_status(lambda status: live._player.feed is not before)
    assert live._player.feed.name == before.name


def test_what_the_page_calls_the_present_source_means_that_one(make_live, front_end, clip, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(2)
    before = live._player.feed
    shown = front_end.wait_for_status(lambda status: status["state"])["state"]["source"]
    assert shown == str(clip)
    front_end.command(live, "source", shown)
    front_end.wait_for_status(lambda status: live._player.feed is not before)
    assert live._player.feed.source == before.source


def test_another_file_with_the_name_of_the_present_one_is_opened(make_live, front_end, clip, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    Path("clip.mp4").write_bytes(clip.read_bytes())
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(2)
    front_end.command(live, "source", "clip.mp4")
    front_end.wait_for_status(lambda status: live._player.feed.source == "clip.mp4")


def test_a_source_that_is_not_there_is_reported_and_the_old_one_plays_on(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.command(live, "source", "nowhere.mp4")
    status = front_end.wait_for_status(lambda status: "nowhere.mp4" in status["notice"] and "…" not in status["notice"])
    assert "there is no" in status["notice"]
    assert status["is_warning"]
    front_end.sent.clear()
    front_end.wait_for(lambda content: content["kind"] == "pair")


def test_a_clip_that_breaks_off_is_reported(make_live, front_end, clip):
    live = make_live(invert)
    live._player.feed.seek(0)
    clip.unlink()
    live.play()
    status = front_end.wait_for_status(lambda status: status["error"])
    assert "clip.mp4" in status["error"]["text"]
    assert not status["state"]["is_playing"]
