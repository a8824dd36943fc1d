import inspect
import pydoc
import shutil
import subprocess
import sys

import pytest
from pydantic import Field

import byoc_kit
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview import preview, start
from byoc_kit.jupyter.preview.live_preview import LivePreview
from byoc_kit.media.demux import MediaError


def same(frame):
    return frame


@pytest.fixture
def in_cell(monkeypatch, front_end):
    """Run as a cell of JupyterLab: ``in_cell(cell_id, run)``."""

    def enter(cell, run):
        message = {"content": {"allow_stdin": True}, "metadata": {"cellId": cell}, "header": {"msg_id": run}}
        monkeypatch.setattr(kernel, "parent_message", lambda: message)

    yield enter
    for cell in "ab":
        start._playing.close_earlier((cell, "the end"))


def test_each_import_gives_the_same_function(clip):
    from byoc_kit import preview as first
    from byoc_kit import preview as second

    assert first(same, clip).stats().frames_in == 10
    assert second(same, clip).stats().frames_in == 10
    assert byoc_kit.preview(same, clip).stats().frames_in == 10


def test_importing_it_stays_light():
    heavy = {"torch", "av", "PIL", "ipywidgets", "IPython"}
    code = f"import sys, byoc_kit.jupyter.preview; print(sorted({heavy} & {{*sys.modules}}))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_running_a_cell_again_closes_its_earlier_preview(in_cell, clip):
    in_cell("a", "1")
    old, beside = preview(same, clip), preview(same, clip)
    in_cell("b", "2")
    other = preview(same, clip)
    assert all(one._pictures.comm is not None for one in (old, beside, other))
    in_cell("a", "3")
    new = preview(same, clip)
    assert isinstance(new, LivePreview)
    assert old._pictures.comm is beside._pictures.comm is None
    assert other._pictures.comm is not None


def test_running_a_cell_again_keeps_what_the_sliders_were_moved_to(in_cell, clip):
    def make(default):
        class Params(byoc_kit.Params):
            gain: int = Field(default, ge=0, le=9)
            other: int = Field(default, ge=0, le=9)

        def process_frame(frame, params: Params):
            return frame

        return process_frame

    in_cell("a", "1")
    first, second = preview(make(1), clip), preview(make(1), clip)
    first._controls["gain"].value = 5
    second._controls["gain"].value = 7
    in_cell("a", "2")
    again = [preview(make(2), clip), preview(make(2), clip), preview(make(2), clip)]
    assert [(one.params.gain, one.params.other) for one in again] == [(5, 2), (7, 2), (2, 2)]
    assert [one._controls["gain"].value for one in again] == [5, 7, 2]


def test_running_a_cell_again_keeps_the_function_to_go_back_to(in_cell, clip, front_end):
    def other(frame):
        return 255 - frame.pixels

    def third(frame):
        return frame.pixels // 2

    def play(live):
        front_end.sent.clear()
        live._sender.start()
        live.play()
        front_end.wait_for(lambda content: content["kind"] == "pair")
        return live

    in_cell("a", "1")
    first = play(preview(same, clip))
    assert not first._player.can_revert
    front_end.sent.clear()
    first.swap(other)
    front_end.wait_for_status(lambda status: status["state"]["can_revert"])
    front_end.wait_for(lambda content: content["kind"] == "pair")
    in_cell("a", "2")
    again = preview(other, clip)  # the cell alone ran again
    assert again._player.can_revert
    play(again)
    again.revert()
    assert again._player.version.hooks.process_frame is same
    again.revert()
    assert again._player.version.hooks.process_frame is other
    front_end.wait_for_pair(lambda before, after: after == pytest.approx(255 - before, abs=4))
    in_cell("a", "3")
    anew = play(preview(third, clip))  # with another function in the same cell
    anew.revert()
    assert anew._player.version.hooks.process_frame is other


def test_what_stays_in_a_saved_notebook_is_a_sentence(in_cell, clip, monkeypatch):
    published = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda bundle, **_: published.append(bundle))
    in_cell("a", "1")
    preview(same, clip)._ipython_display_()
    assert published[0]["text/plain"] == "a preview of process_frame: run the cell to play"
    assert "application/vnd.jupyter.widget-view+json" in published[0]


def test_a_missing_clip_is_named(in_cell):
    with pytest.raises(MediaError, match=r"there is no clip nowhere\.mp4; give the path of a video file"):
        preview(same, "nowhere.mp4")
    in_cell("a", "1")
    with pytest.raises(MediaError, match=r"there is no clip nowhere\.mp4"):
        preview(same, "nowhere.mp4")


def test_a_file_without_video_is_named(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(MediaError, match=r"text\.mp4 is no video file"):
        preview(same, path)


def test_only_a_function_can_be_previewed(clip):
    with pytest.raises(ByocKitError, match="process_frame must be a function, not int"):
        preview(3, clip)


def test_a_parameter_without_default_is_named(clip):
    class Params(byoc_kit.Params):
        gain: float

    def process_frame(frame, params: Params):
        return frame

    with pytest.raises(ByocKitError, match="no stream can start with the default of gain: Field required; give"):
        preview(process_frame, clip)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"fps": 0}, "fps must be a number above 0, not 0"),
        ({"fps": "30"}, "fps must be a number above 0, not '30'"),
        ({"width": 0}, "width must be a whole number of pixels, at least 1, not 0"),
        ({"width": "640"}, "width must be a whole number of pixels"),
        ({"size": 640}, r"size must be a width and a height, as \(640, 360\), not 640"),
        ({"size": (640,)}, r"size must be a width and a height, .*, not \(640,\)"),
        ({"source": 5}, "a source is a path, a URL, synthetic or webcam, not int"),
    ],
)
def test_an_option_that_does_not_fit_is_named(in_cell, clip, option, said):
    in_cell("a", "1")
    with pytest.raises(ByocKitError, match=said):
        preview(same, **{"source": clip, **option})


def test_a_preview_that_nobody_watches_can_be_steered_all_the_same(clip):
    seen = preview(same, clip)
    seen.play()
    seen.seek(3)
    seen.save_golden()
    seen.close()
    assert seen.last_error is None


def test_without_a_source_the_first_clip_of_clips_plays(in_cell, clip, tmp_path, monkeypatch, front_end):
    (tmp_path / "clips").mkdir()
    for name in ("z.mp4", "clips/mine.mp4", "clips/other.mp4"):
        shutil.copy(clip, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    in_cell("a", "1")
    live = preview(same)
    live._tell()
    said = "Playing clips/mine.mp4, the first clip here; give another with source=, or above."
    assert front_end.wait_for_notice() == said
    assert live._player.feed.source == "clips/mine.mp4"


def test_without_a_source_and_without_clips_the_notebook_s_folder_counts(clip, tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert preview(same).table().startswith("source         bars, 1280x720")
    shutil.copy(clip, folder / "mine.mp4")
    assert preview(same).table().startswith("source         mine.mp4, 96x64")


def test_help_shows_the_function_with_its_parameters():
    for function in (byoc_kit.preview, byoc_kit.ship):
        text = pydoc.plain(pydoc.render_doc(function))
        assert "PACKAGE CONTENTS" not in text
        assert f"{function.__name__}(" in text
        assert "Parameters\n" in text
    assert [*inspect.signature(byoc_kit.preview).parameters] == [
        *("process_frame", "source", "compare", "fps", "size", "width")
    ]


def never(_):
    raise AssertionError("nothing is to be processed")


def test_a_still_preview_processes_nothing_though_a_browser_is_open(in_cell, clip, monkeypatch):
    in_cell("a", "1")
    monkeypatch.setenv("BYOC_KIT_PREVIEW", "still")
    assert preview(never, clip).stats().frames_in == 0
    assert "bars, " in preview(never, "webcam").table()


def test_a_value_of_the_setting_that_there_is_not_is_named(clip, monkeypatch):
    monkeypatch.setenv("BYOC_KIT_PREVIEW", "quiet")
    with pytest.raises(ByocKitError, match="BYOC_KIT_PREVIEW=quiet does not fit: set it to still, or not at all"):
        preview(same, clip)
