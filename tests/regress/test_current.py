import subprocess
import sys

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json, plan_file, write_notebook

from byoc_kit.bundle.plan import write
from byoc_kit.core.bundle_reader import load_processor, read_bundle
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.regress import RegressionError, process_clip
from byoc_kit.regress.golden import require_current

__all__ = ["write_notebook"]


@pytest.fixture
def exported(write_notebook, tmp_path):
    """A notebook, and its bundle's folder."""
    notebook = write_notebook(cells=[("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)])
    write(plan_file(notebook, tmp_path / "export" / "effects"))
    yield notebook, tmp_path / "export" / "effects"
    sys.modules.pop("processor", None)


def test_a_run_on_a_bundle_that_is_not_what_the_notebook_says_fails(exported, clip):
    notebook, folder = exported
    options = {"params": {}, "width": 64, "every": 5}
    assert process_clip(load_processor(read_bundle(folder)), clip, **options)
    notebook.write_text(notebook.read_text().replace("return frame", "return None"))
    with pytest.raises(RegressionError) as caught:
        process_clip(load_processor(read_bundle(folder)), clip, **options)
    assert str(caught.value) == (
        f"the bundle {folder} is not current: effects.ipynb has changed since the export; export it again"
    )


def test_a_heading_or_a_comment_makes_no_bundle_stale(exported):
    notebook, folder = exported
    processor = load_processor(read_bundle(folder))
    said = ("byoc", f"# Passes frames on.\n{CAPABILITY}")
    notebook.write_text(notebook_json(("markdown", "# Tint"), ("markdown", "## Offer"), said, ("byoc", PROCESS_FRAME)))
    require_current(processor)
    notebook.write_text(notebook_json(said, ("byoc", PROCESS_FRAME.replace("return", "'Doc.'\n    return"))))
    with pytest.raises(RegressionError, match=r"effects\.ipynb has changed since the export"):
        require_current(processor)


def test_an_asset_that_changed_makes_a_bundle_stale(write_notebook, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"weights")
    asset = "from byoc_kit import asset\nweights = asset('a.bin').read_bytes()"
    notebook = write_notebook(asset)
    write(plan_file(notebook, tmp_path / "export" / "effects"))
    processor = load_processor(read_bundle(tmp_path / "export" / "effects"))
    require_current(processor)
    (tmp_path / "a.bin").write_bytes(b"others!")
    with pytest.raises(RegressionError, match=r"a\.bin has changed since the export"):
        require_current(processor)
    sys.modules.pop("processor", None)


def test_where_the_notebook_is_not_there_nothing_is_reported(exported):
    notebook, folder = exported
    processor = load_processor(read_bundle(folder))
    notebook.unlink()
    require_current(processor)


def test_a_function_of_a_notebook_has_no_bundle():
    class Own(FrameProcessor):
        hooks = Hooks.of(lambda frame: frame)

    require_current(Own())


def test_to_ask_loads_no_torch(exported):
    code = (
        "import sys\n"
        "from byoc_kit.bundle.drift import why_bundle_is_stale; from byoc_kit.core.bundle_reader import read_bundle\n"
        f"print(why_bundle_is_stale(read_bundle({str(exported[1])!r})), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None False"
