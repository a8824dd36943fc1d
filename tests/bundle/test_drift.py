import shutil
from pathlib import Path

import pytest

from byoc_kit.bundle.device import installed_device
from byoc_kit.bundle.plan import plan, write

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "export" / "green_tint"


@pytest.fixture
def exported(tmp_path):
    """The example, exported into a copy of the project's folders."""
    (tmp_path / "notebooks").mkdir()
    notebook = shutil.copy(ROOT / "notebooks" / "green_tint.ipynb", tmp_path / "notebooks")
    target = tmp_path / "export" / "green_tint"
    write(plan(Path(notebook), target))
    return target


def test_the_committed_bundle_is_what_the_notebook_gives(exported):
    committed = {path.name: path.read_text() for path in COMMITTED.iterdir() if path.is_file()}
    now = {path.name: path.read_text() for path in exported.iterdir()}
    assert now.keys() == committed.keys()
    # The lock too: requirements-dev.lock holds the versions it has, but for the device that torch is built for here.
    locked = set() if installed_device() == "cpu" else {"requirements.lock", "sbom.cdx.json"}
    for name, text in committed.items():
        if name in locked:
            continue
        assert now[name] == text, f"{name}: run `byoc-kit export notebooks/green_tint.ipynb`"
