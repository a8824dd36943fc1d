import json
import pickle
import sys

import numpy as np
import pytest
from notebook_rig import CAPABILITY, plan_file

from byoc_kit.bundle.plan import write
from byoc_kit.core.bundle_reader import BundleError, load_processor, read_bundle
from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.stage import Failure


@pytest.fixture(autouse=True)
def no_processor_stays(monkeypatch):
    monkeypatch.delitem(sys.modules, "processor", raising=False)
    yield
    sys.modules.pop("processor", None)


@pytest.fixture
def export(write_notebook, tmp_path):
    """Export a notebook of tagged sources; returns its bundle's folder."""

    def export(*sources, **options):
        write(plan_file(write_notebook(*sources, **options), tmp_path / "effects"))
        return tmp_path / "effects"

    return export


def test_a_bundle_gives_its_processor(export):
    processor = load_processor(read_bundle(export()))
    frame = VideoFrame.from_pixels(np.full((2, 2, 3), 9, np.uint8))
    assert (processor.process(frame, processor.params).pixels == 9).all()


def test_a_failure_shows_the_line_that_ran_though_the_file_has_a_newer_version(export):
    old, new = "def process_frame(frame):\n    raise KeyError('old')", "def process_frame(frame):\n    return frame"
    running = load_processor(read_bundle(export(cells=[("byoc", old), ("byoc", CAPABILITY)])))
    load_processor(read_bundle(export(cells=[("byoc", new), ("byoc", CAPABILITY)])))
    with pytest.raises(KeyError) as caught:
        running.call(None, running.params)
    failure = Failure.of(caught.value, "process_frame", running)
    assert failure.trace.endswith("effects.ipynb, cell 1, line 2, in process_frame\n    raise KeyError('old')")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\n\nx / 0", "effects.ipynb, cell 1, line 3: ZeroDivisionError: division by zero"),
        ("raise SystemExit('bye')", "effects.ipynb, cell 1, line 1: SystemExit: bye"),
        ("raise KeyError('a\\nb')", "effects.ipynb, cell 1, line 1: KeyError: 'a\\nb'"),
    ],
)
def test_what_a_cell_raises_is_named_by_cell_and_line(export, source, said):
    with pytest.raises(BundleError) as caught:
        load_processor(read_bundle(export(source)))
    assert str(caught.value).startswith(said)
    assert str(caught.value).endswith("; run the notebook from the top to see it")
    assert len(str(caught.value).splitlines()) == 1
    assert "processor" not in sys.modules


def test_a_version_that_does_not_load_leaves_the_one_before_where_pickle_finds_its_classes(export):
    running = load_processor(read_bundle(export("class State: ...")))
    state = running.hooks.process_frame.__globals__["State"]()
    with pytest.raises(BundleError):
        load_processor(read_bundle(export("class State: ...", "x = 1 / 0")))
    assert type(pickle.loads(pickle.dumps(state))) is type(state)  # noqa: S301  # our own bytes


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            "class Params(byoc_kit.Params):\n    gain: float = json.loads('null')",
            "effects.ipynb, cell 1, line 2: no stream can start with the default of gain: "
            "Input should be a valid number; give the field a default that is allowed",
        ),
        (
            "Params = create_model('Params', __base__=byoc_kit.Params, gain=(float, ...))",
            "processor.py: no stream can start with the default of gain: Field required; "
            "give the field a default that is allowed",
        ),
        (
            "class Params(byoc_kit.Params):\n    gain: float = Field(default_factory=lambda: {}['gain'])",
            "effects.ipynb, cell 1, line 3: no stream can start with the parameters' defaults: "
            "making them raises KeyError: 'gain'; choose others",
        ),
    ],
)
def test_defaults_with_which_no_stream_can_start_are_said_in_one_line(export, params, said):
    imports = "import json, byoc_kit; from pydantic import Field, create_model"
    process_frame = "def process_frame(frame, params: Params): return frame"
    cells = [("byoc", source) for source in (f"{imports}\n{params}", process_frame, CAPABILITY)]
    with pytest.raises(BundleError) as caught:
        load_processor(read_bundle(export(cells=cells)))
    assert str(caught.value) == said
    assert "processor" not in sys.modules


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path):
    with pytest.raises(BundleError) as caught:
        read_bundle(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is not a bundle: it has no bundle.json; make one with `byoc-kit export NOTEBOOK`"
    )


def test_a_notebook_is_no_bundle_and_says_how_to_make_one(write_notebook, monkeypatch):
    monkeypatch.chdir(write_notebook(name="my effects.ipynb").parent)
    with pytest.raises(BundleError) as caught:
        read_bundle("my effects.ipynb")
    assert str(caught.value) == (
        "my effects.ipynb is a notebook; "
        "`byoc-kit export 'my effects.ipynb'` makes its bundle, and prints the folder to give here"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: "{",
        lambda manifest: "[]",
        lambda manifest: "[" * 100_000,
        lambda manifest: json.dumps({k: v for k, v in manifest.items() if k != "capability"}),
        lambda manifest: json.dumps({**manifest, "capability": {"model_id": "-"}}),
        lambda manifest: json.dumps({**manifest, "notebook": 3}),
    ],
)
def test_a_damaged_manifest_is_one_line(export, change):
    folder = export()
    manifest = folder / "bundle.json"
    manifest.write_text(change(json.loads(manifest.read_text())))
    with pytest.raises(BundleError, match=r"bundle\.json is damaged \(.*\); export the notebook again$") as caught:
        read_bundle(folder)
    assert len(str(caught.value).splitlines()) == 1


def test_a_manifest_that_cannot_be_read_says_what_to_do(tmp_path):
    (tmp_path / "bundle.json").mkdir()
    with pytest.raises(BundleError) as caught:
        read_bundle(tmp_path)
    assert str(caught.value) == (
        f"cannot read {tmp_path}/bundle.json: Is a directory; make it readable, or export the notebook again"
    )


@pytest.mark.parametrize("content", ["{", "{}", '{"lines": [[1]]}', '{"lines": 3}'])
def test_a_damaged_source_map_is_one_line(export, content):
    folder = export()
    (folder / "processor.map.json").write_text(content)
    with pytest.raises(BundleError, match=r"processor\.map\.json is damaged \(.*\); export the notebook again$"):
        read_bundle(folder)


def test_a_bundle_without_its_source_map_is_none(export):
    folder = export()
    (folder / "processor.map.json").unlink()
    with pytest.raises(BundleError, match=r"it has no processor\.map\.json; make one"):
        read_bundle(folder)


def test_a_bundle_without_its_module_is_named(export):
    folder = export()
    (folder / "processor.py").unlink()
    with pytest.raises(BundleError, match=r"has no processor\.py; export the notebook again"):
        load_processor(read_bundle(folder))
