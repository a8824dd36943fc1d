"""What the container would have of what the notebook imports."""

import pytest
from notebook_rig import check

from byoc_kit.notebook.notebook_file import read_notebook


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install distributions of one file each, in a folder of their own on the path."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(name, *files):
        info = site / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
        for file in files:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).touch()

    return install


def findings(path):
    return [(finding.code, finding.message) for finding in check(read_notebook(path))]


def test_two_distributions_of_one_module(install, write_notebook):
    install("one", "shared_by_two.py")
    install("other", "shared_by_two.py")
    assert findings(write_notebook("import shared_by_two\nimport shared_by_two")) == [
        ("ambiguous-module", "one and other both provide the module shared_by_two (also line 2)")
    ]


@pytest.mark.parametrize("source", ["import spaced.one", "from spaced import one", "import spaced.one as x"])
def test_parts_of_a_namespace_are_told_apart(install, write_notebook, source):
    install("spaced-one", "spaced/one.py")
    install("spaced-two", "spaced/two.py")
    assert findings(write_notebook(source)) == []


def test_two_builds_of_opencv_are_one(install, write_notebook):
    install("opencv-python", "cv2/__init__.py")
    install("opencv-python-headless", "cv2/__init__.py")
    assert findings(write_notebook("import cv2")) == []


@pytest.mark.parametrize("file", ["random.py", "numpy/__init__.py"])
def test_a_file_next_to_the_notebook_shadows_what_the_container_has(write_notebook, tmp_path, file):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    name = file.removesuffix(".py").removesuffix("/__init__")
    shown = file if "/" not in file else f"{name}/"
    assert findings(write_notebook(f"import {name}")) == [
        (
            "shadowed-module",
            f"the notebook imports {shown} from its own folder, and the container another {name}",
        )
    ]


@pytest.mark.parametrize(("file", "shown"), [("src/mylib.py", "src/mylib.py"), ("src/mylib/__init__.py", "src/mylib/")])
def test_a_module_in_a_folder_next_to_the_notebook_is_not_for_pip(write_notebook, tmp_path, file, shown):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.touch()
    [finding] = check(read_notebook(write_notebook("import sys\nsys.path.append('src')\nimport mylib")))
    assert finding.code == "missing-module"
    assert finding.hint.startswith(f"it may be {shown}, which is not exported; move what you use of it")


def test_a_module_next_to_the_notebook_is_not_exported(write_notebook, tmp_path):
    (tmp_path / "my_own_lib.py").touch()
    [finding] = check(read_notebook(write_notebook("import my_own_lib")))
    assert finding.code == "missing-module"
    assert finding.hint.startswith("it lies beside the notebook and is not exported")


@pytest.mark.parametrize(
    "source",
    ["import json", "try:\n    import no_such\nexcept ImportError:\n    no_such = None", "import byoc_kit.core.frames"],
)
def test_what_is_there_or_need_not_be(write_notebook, source):
    assert findings(write_notebook(source)) == []


def test_what_only_a_notebook_has_is_not_said_to_be_missing(write_notebook):
    [(code, _)] = findings(write_notebook("from google.colab import userdata"))
    assert code == "notebook-only"
