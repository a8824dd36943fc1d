import shutil
import subprocess
from pathlib import Path

import pytest
from notebook_rig import plan_file

from byoc_kit import PYTHON
from byoc_kit.bundle.index import installed_device
from byoc_kit.bundle.plan import write

ROOT = Path(__file__).parents[2]


def committed(pattern):
    """Return the project's own files, without those of a tutorial that somebody follows. Without git, return all."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", f":(glob){pattern}"]
    try:
        names = subprocess.check_output(listing, text=True).split("\0")[:-1]
    except (OSError, subprocess.CalledProcessError):
        return sorted(ROOT.glob(pattern))
    return [ROOT / name for name in names]


NOTEBOOKS = committed("notebooks/*.ipynb")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project's notebooks and their files, where nothing has been exported yet."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns("clips", "images"))
    return folder


def contents(folder):
    """Return the text of a bundle's own files, and the names of its assets, which are their hashes."""
    texts = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    return texts, sorted(path.name for path in folder.glob("assets/*"))


def test_there_is_a_bundle_for_each_example_and_no_other():
    assert {path.parent.name for path in committed("export/*/bundle.json")} == {path.stem for path in NOTEBOOKS}


@pytest.mark.skipif(PYTHON != "3.11", reason="the committed bundles are of Python 3.11")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_committed_bundle_is_what_the_notebook_gives(copy, notebook):
    target = copy / "export" / notebook.stem
    write(plan_file(copy / "notebooks" / notebook.name, target))
    now, assets = contents(target)
    committed, committed_assets = contents(ROOT / "export" / notebook.stem)
    assert (now.keys(), assets) == (committed.keys(), committed_assets)
    # The lock too: requirements-dev.lock holds the versions it has, but for the device that torch is built for here.
    locked = set() if installed_device() == "cpu" else {"requirements.lock", "sbom.cdx.json", "bundle.json"}
    for name, text in committed.items():
        if name in locked:
            continue
        assert now[name] == text, f"{name}: run `byoc-kit export notebooks/{notebook.name}`"
