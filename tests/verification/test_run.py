import json
import re

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json

from byoc_kit.cli import main
from byoc_kit.core.bundle_reader import read_bundle
from byoc_kit.media.paced_clip import live_clip
from byoc_kit.verification import run as verification_run
from byoc_kit.verification.compare import compare_replays
from byoc_kit.verification.run import assets_put_back, run_both


@pytest.fixture
def bundle(tmp_path):
    """The bundle of a notebook with two assets."""
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).write_bytes(name.encode())
    assets = "from byoc_kit import asset\nmodels = [asset('a.pt'), asset('b.pt')]"
    cells = [("byoc", source) for source in (CAPABILITY, assets, PROCESS_FRAME)]
    (tmp_path / "effects.ipynb").write_text(notebook_json(*cells))
    assert main(["export", str(tmp_path / "effects.ipynb"), "-o", str(tmp_path / "out"), "--no-hashes"]) == 0
    return read_bundle(tmp_path / "out")


def test_what_a_notebook_overwrites_or_removes_is_put_back_and_named(bundle, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with assets_put_back(bundle, scratch) as changed:
        (tmp_path / "a.pt").write_bytes(b"trained anew")
        (tmp_path / "b.pt").unlink()
    assert changed == ["a.pt", "b.pt"]
    assert [(tmp_path / name).read_bytes() for name in changed] == [b"a.pt", b"b.pt"]
    assert not list(scratch.iterdir())  # the bundle has them


def test_an_asset_that_changed_since_the_export_is_put_back_as_it_was_before(bundle, tmp_path):
    (tmp_path / "a.pt").write_bytes(b"newer than the bundle")

    def run_and_stop():
        with assets_put_back(bundle, tmp_path):
            (tmp_path / "a.pt").write_bytes(b"trained anew")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_and_stop()
    assert (tmp_path / "a.pt").read_bytes() == b"newer than the bundle"


PARAMS = "import byoc_kit\n\nclass Params(byoc_kit.Params):\n    gain: float = 1.0\n    level: int = 3"
TAKES_PARAMS = "def process_frame(frame, params: Params):\n    return frame"


@pytest.mark.parametrize(
    ("sources", "name", "said"),
    [
        (
            (PARAMS, TAKES_PARAMS),
            "gian",
            "gian: is no parameter of this model; did you mean gain? (it has gain, level)",
        ),
        ((PARAMS, TAKES_PARAMS), "foo", "foo: is no parameter of this model; it has gain, level"),
        ((PROCESS_FRAME,), "foo", "foo: is no parameter of this model; it has no parameters"),
    ],
)
def test_an_unknown_parameter_is_refused_before_anything_runs(
    export, small_clip, tmp_path, capsys, sources, name, said
):
    bundle = export(*sources)
    ran = tmp_path / "ran"
    (bundle.folder / "processor.py").write_text(f"open({str(ran)!r}, 'w')")
    command = ["verify", str(bundle.folder), "--clip", str(small_clip), "--skip-server", "--param", f"{name}=1"]
    assert main(command) == 2
    assert capsys.readouterr().err == f"byoc-kit: {said}\n"
    assert not ran.exists()


def test_what_stays_as_it_was_is_not_touched(bundle, tmp_path):
    before = (tmp_path / "a.pt").stat()
    with assets_put_back(bundle, tmp_path) as changed:
        (tmp_path / "b.pt").write_bytes(b"b.pt")
    assert changed == []
    assert (tmp_path / "a.pt").stat() == before
    assert json.loads((bundle.folder / "bundle.json").read_text())["assets"].keys() == {"a.pt", "b.pt"}


STATEFUL = """
import byoc_kit
import numpy as np
from pydantic import Field


class Params(byoc_kit.Params):
    gain: float = Field(1.0, ge=0, le=4)


def on_stream_start(params):
    global before
    before = np.zeros((48, 64, 3), np.uint8)


async def process_frame(frame, params: Params):
    global before
    trail, before = before, frame.pixels
    if trail.max() > 100 and trail.max() < 125:
        return None
    if trail.max() > 150:
        raise ValueError("too bright")
    return (frame.pixels // 2 * params.gain + trail // 4).astype(np.uint8)[:31, :41]
"""


@pytest.mark.slow
async def test_notebook_and_module_are_the_same_in_all_that_hooks_may_do(export, small_clip, tmp_path):
    bundle = export(STATEFUL, untagged=["assert len([1]) == 1"])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    kept = tuple(range(10))
    notebook, module = await run_both(
        bundle, live_clip(small_clip), {"gain": 1.5}, kept, scratch, timeout_s=60, with_notebook=True, say=print
    )
    assert (notebook.failure, module.failure) == ("", "")
    assert {frame.outcome for frame in module.frames} == {"made", "dropped", "raised"}
    assert {frame.size for frame in module.frames if frame.outcome == "made"} == {"41x31"}
    assert compare_replays(notebook, module).is_within(0)
    assert notebook.params == module.params == {"gain": 1.5}


@pytest.mark.slow
async def test_whoever_waits_is_told_how_far_it_is(export, small_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(verification_run, "_SAY_EACH_S", 0.01)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    slow = "import time\ndef process_frame(frame):\n    time.sleep(0.05)\n    return frame"
    said = []
    await run_both(
        export(slow), live_clip(small_clip), {}, (0,), scratch, timeout_s=60, with_notebook=True, say=said.append
    )
    assert said[0] == "notebook: 0 of 10 frames; module: 0 of 10 frames"
    through = [int(number) for line in said for number in re.findall(r": (\d+) of 10", line)]
    assert any(0 < number < 10 for number in through)
