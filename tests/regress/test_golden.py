import json

import numpy as np
import pytest

from byoc_kit.core.frames import VideoFrame
from byoc_kit.regress import Golden, RegressionError, load_golden, save_golden, versions


@pytest.fixture
def golden(clip):
    random = np.random.default_rng(1)
    pictures = {n: random.integers(0, 256, (6, 8, 3), np.uint8) for n in (0, 12, 120)}
    return Golden("bigbuckbunny.mp4", "0" * 64, 8, 12, {"gain": 1.4}, pictures)


def test_golden_frames_come_back_without_loss(golden, tmp_path):
    save_golden(golden, tmp_path / "golden")
    back = load_golden(tmp_path / "golden")
    assert list(back.pictures) == [0, 12, 120]
    assert all((back.pictures[n] == golden.pictures[n]).all() for n in golden.pictures)
    assert (back.clip, back.width, back.every, back.params) == ("bigbuckbunny.mp4", 8, 12, {"gain": 1.4})


def test_saving_replaces_what_was_there(golden, tmp_path):
    save_golden(golden, tmp_path)
    save_golden(Golden("a.mp4", "", 8, 1, {}, {3: golden.pictures[0]}), tmp_path)
    assert list(load_golden(tmp_path).pictures) == [3]


def test_a_picture_that_cannot_be_written_costs_none_of_those_before(golden, tmp_path, monkeypatch):
    save_golden(golden, tmp_path)
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    written = []

    def write_png(pixels, path):
        if written:
            raise OSError(28, "No space left on device")
        written.append(path.write_bytes(pixels))

    monkeypatch.setattr("byoc_kit.regress.golden.write_png", write_png)
    with pytest.raises(RegressionError, match="No space left on device"):
        save_golden(golden, tmp_path)
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


def test_other_pictures_are_not_replaced(golden, tmp_path):
    (tmp_path / "00001.png").write_bytes(b"somebody's")
    with pytest.raises(RegressionError, match="has pictures that are not golden frames, and they would be lost"):
        save_golden(golden, tmp_path)
    assert (tmp_path / "00001.png").read_bytes() == b"somebody's"


def test_missing_golden_frames_say_how_to_make_them(tmp_path):
    with pytest.raises(RegressionError) as caught:
        load_golden(tmp_path)
    assert str(caught.value) == (
        f"there are no golden frames in {tmp_path}; make them with byoc_kit.regress.record_golden"
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "golden.json").write_text("{"),
        lambda folder: (folder / "golden.json").write_text(json.dumps({"clip": "a"})),
        lambda folder: (folder / "00012.png").write_bytes(b"no picture"),
        lambda folder: (folder / "00012.png").rename(folder / "twelve.png"),
    ],
)
def test_damaged_golden_frames_are_one_line(golden, tmp_path, damage):
    save_golden(golden, tmp_path)
    damage(tmp_path)
    with pytest.raises(RegressionError, match=r"are damaged \(.*\); restore them, or record them again"):
        load_golden(tmp_path)


def test_golden_frames_without_a_picture_are_refused(golden, tmp_path):
    save_golden(golden, tmp_path)
    for path in tmp_path.glob("*.png"):
        path.unlink()
    with pytest.raises(RegressionError, match=r"has a golden\.json and no picture"):
        load_golden(tmp_path)


def test_another_clip_is_refused(golden, clip, tmp_path):
    with pytest.raises(RegressionError, match=r"is not the bigbuckbunny\.mp4 that the golden frames were made of"):
        golden.require_clip(clip)
    with pytest.raises(RegressionError, match=r"cannot read the clip .*: No such file or directory; give one that"):
        golden.require_clip(tmp_path / "no.mp4")


@pytest.fixture
def stretch(golden):
    """Golden frames that bring their own inputs, larger than their pictures; the first leads in."""
    random = np.random.default_rng(2)
    inputs = {n: VideoFrame.from_pixels(random.integers(0, 256, (9, 12, 3), np.uint8), 512 * n) for n in range(3)}
    pictures = dict.fromkeys((1, 2), golden.pictures[0])
    return Golden("webcam", "", 12, 1, {"gain": 1.4}, pictures, inputs, versions())


def test_inputs_come_back_without_loss_with_their_times(stretch, tmp_path):
    save_golden(stretch, tmp_path)
    back = load_golden(tmp_path)
    assert list(back.pictures) == [1, 2]
    assert list(back.inputs) == [0, 1, 2]
    for n, frame in stretch.inputs.items():
        assert (back.inputs[n].pixels == frame.pixels).all()
        assert (back.inputs[n].pts, back.inputs[n].time_base) == (512 * n, frame.time_base)
    assert back.versions == versions()


def test_frames_of_a_clip_do_not_replace_those_that_the_preview_saved(golden, stretch, tmp_path):
    save_golden(stretch, tmp_path)
    before = sorted(path for path in tmp_path.rglob("*.png"))
    with pytest.raises(RegressionError) as caught:
        save_golden(golden, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} has golden frames with their inputs, as the preview saves them; name another folder"
    )
    assert sorted(tmp_path.rglob("*.png")) == before


def test_inputs_are_ordered_by_number_not_by_name(golden, tmp_path):
    frame = VideoFrame.from_pixels(golden.pictures[0])
    save_golden(Golden("", "", 8, 1, {}, {9: golden.pictures[0]}, {100_000: frame, 9: frame}), tmp_path)
    assert list(load_golden(tmp_path).inputs) == [9, 100_000]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "inputs" / "00001.png").unlink(),
        lambda folder: _change(folder, "inputs", {"0": [0, "1/0"]}),
        lambda folder: _change(folder, "inputs", {"0": [0]}),
        lambda folder: _change(folder, "inputs", {"007": [0, "1/25"]}),
        lambda folder: _change(folder, "inputs", 3),
    ],
)
def test_damaged_inputs_are_one_line(stretch, tmp_path, damage):
    save_golden(stretch, tmp_path)
    damage(tmp_path)
    with pytest.raises(RegressionError, match=r"are damaged \(.*\); restore them, or record them again"):
        load_golden(tmp_path)


def _change(folder, name, value):
    manifest = json.loads((folder / "golden.json").read_text())
    (folder / "golden.json").write_text(json.dumps(manifest | {name: value}))


def test_golden_frames_with_inputs_want_no_clip(stretch, clip):
    with pytest.raises(RegressionError, match=r"bring their own inputs .*; use byoc_kit\.regress\.process_inputs"):
        stretch.require_clip(clip)


def test_a_folder_that_cannot_be_written_is_one_line(golden, tmp_path):
    (tmp_path / "golden").write_text("a file")
    with pytest.raises(RegressionError, match=r"cannot write golden frames to .*golden: File exists; make room"):
        save_golden(golden, tmp_path / "golden")
