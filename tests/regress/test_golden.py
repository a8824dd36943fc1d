import json

import numpy as np
import pytest

from byoc_kit.regress import Golden, RegressionError, load_golden, save_golden


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
    with pytest.raises(RegressionError, match=r"are damaged \(.*\); restore them, or record them anew"):
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
    with pytest.raises(RegressionError, match=r"cannot read the clip .*: No such file or directory"):
        golden.require_clip(tmp_path / "no.mp4")
