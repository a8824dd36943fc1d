import json
import subprocess
import sys
from enum import StrEnum
from fractions import Fraction

import numpy as np
import pytest

import byoc_kit
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import ParamsError
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.errors import ByocKitError
from byoc_kit.regress import Case, RegressionError, load_case, replay_case, save_case, versions


class Look(StrEnum):
    WARM = "warm"
    COLD = "cold"


class Params(byoc_kit.Params):
    gain: float = 1.0
    look: Look = Look.WARM


@pytest.fixture
def case():
    pixels = np.random.default_rng(1).integers(0, 256, (7, 5, 3), np.uint8)
    params = dict(Params(gain=0.0, look=Look.COLD))
    error, where = "ZeroDivisionError: division by zero", "effects.ipynb, cell 3, line 2"
    return Case(pixels, params, 1001, Fraction(1, 30_000), error, where, versions())


def divides(frame, params: Params):
    return frame.replace(pixels=frame.pixels + int(1 / params.gain))


def test_a_case_comes_back_as_it_was(case, tmp_path):
    folder = save_case(tmp_path, case)
    assert folder == tmp_path / "cases" / "zero-division-error-1"
    back = load_case(folder)
    assert (back.pixels == case.pixels).all()
    assert (back.pts, back.time_base, back.error, back.where) == (1001, case.time_base, case.error, case.where)
    assert back.params == {"gain": 0.0, "look": "cold"}
    assert back.versions == versions()


def test_each_case_has_a_folder_of_its_own(case, tmp_path):
    names = [save_case(tmp_path, case).name for _ in range(3)]
    assert names == ["zero-division-error-1", "zero-division-error-2", "zero-division-error-3"]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ("", "looks-wrong-1"),
        ("KeyError: '../../etc'", "key-error-1"),
        ("OutOfMemoryError", "out-of-memory-error-1"),
        ("HTTPError: 404", "http-error-1"),
        ("my_module.Ошибка: x", "my-module-1"),
        ("E" * 300, "e" * 40 + "-1"),
    ],
)
def test_the_folder_is_named_by_the_exception(case, tmp_path, error, name):
    assert save_case(tmp_path, Case(**{**vars(case), "error": error})).name == name


def test_a_replay_raises_what_the_function_raises(case, tmp_path):
    with pytest.raises(ZeroDivisionError):
        replay_case(divides, load_case(save_case(tmp_path, case)))


def test_a_case_is_replayed_from_its_folder(case, tmp_path):
    folder = save_case(tmp_path, case)
    for path in (folder, str(folder)):
        with pytest.raises(ZeroDivisionError):
            replay_case(divides, path)


def test_a_mended_function_returns_its_frame(case):
    seen = []

    def mended(frame, params: Params):
        seen.append((params.gain, params.look, frame.pts, frame.time_base))
        frame.pixels[:] = 7
        return frame

    output = replay_case(mended, case)
    assert (output.pixels == 7).all()
    assert (output.pts, output.time_base) == (1001, Fraction(1, 30_000))
    assert seen == [(0.0, Look.COLD, 1001, Fraction(1, 30_000))]
    assert case.pixels.std() > 0  # not what the function wrote into its frame


def test_a_withheld_frame_is_none(case):
    assert replay_case(lambda frame, params: None, Case(**{**vars(case), "params": {}})) is None


async def test_an_async_function_is_replayed_where_a_loop_runs_already(case):
    async def process_frame(frame, params: Params):
        return frame

    assert (replay_case(process_frame, case).pixels == case.pixels).all()


def test_a_processor_is_replayed_with_its_other_hooks(case):
    seen = []
    hooks = Hooks(
        process_frame=lambda frame: frame,
        params_type=Params,
        load_model=lambda: seen.append("load"),
        on_stream_start=lambda params: seen.append(params.gain),
        on_stream_stop=lambda: seen.append("stop"),
    )
    replay_case(FrameProcessor(hooks), case)
    assert seen == ["load", 0.0, "stop"]


def test_parameters_that_do_not_fit_any_more_are_named(case):
    with pytest.raises(ParamsError, match="gain: is no parameter of this model"):
        replay_case(lambda frame: frame, case)


def test_a_field_without_default_is_named(case):
    class Strict(byoc_kit.Params):
        gain: float

    def process_frame(frame, params: Strict):
        return frame

    with pytest.raises(ByocKitError, match="no stream can start with the default of gain: Field required; give"):
        replay_case(process_frame, case)


def test_a_missing_case_is_one_sentence(tmp_path):
    with pytest.raises(RegressionError) as caught:
        load_case(tmp_path / "cases" / "none")
    assert str(caught.value) == (
        f"there is no case in {tmp_path}/cases/none; give the folder of one, which has a case.json"
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "case.json").write_text("{"),
        lambda folder: (folder / "case.json").write_text("[]"),
        lambda folder: (folder / "case.json").write_text(json.dumps({"time_base": "1/0"})),
        lambda folder: (folder / "case.json").write_text(json.dumps({"time_base": "1/25"})),
        lambda folder: (folder / "input.png").unlink(),
        lambda folder: (folder / "input.png").write_bytes(b"no picture"),
        lambda folder: (folder / "input.png").write_bytes((folder / "input.png").read_bytes()[:60]),
    ],
)
def test_a_damaged_case_is_one_sentence(case, tmp_path, damage):
    folder = save_case(tmp_path, case)
    damage(folder)
    with pytest.raises(RegressionError, match=r"is damaged \(.*\); restore it, or save it again"):
        load_case(folder)


def test_a_folder_that_cannot_be_made_is_one_sentence(case, tmp_path):
    (tmp_path / "cases").write_text("a file")
    with pytest.raises(RegressionError, match=r"cannot keep the case in .*cases: File exists; make room there"):
        save_case(tmp_path, case)


def test_a_full_disk_leaves_no_half_case(tmp_path):
    code = f"""
import resource, signal
from fractions import Fraction
import numpy as np
from byoc_kit.regress import Case, RegressionError, save_case
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
try:
    save_case({str(tmp_path)!r}, Case(noise, {{}}, 0, Fraction(1, 25), "", "", {{}}))
except RegressionError as error:
    print(error)
"""
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said.startswith(f"cannot keep the case in {tmp_path}/cases: File too large")
    assert list((tmp_path / "cases").iterdir()) == []


def test_a_case_says_what_it_is_in_one_line(case):
    assert repr(case).startswith("<Case: ZeroDivisionError")
    assert len(repr(case)) < 200
