"""What the container would have of what the notebook imports."""

import importlib
import json
import sys

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check, notebook_json

from byoc_kit import PYTHON, PYTHONS
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook
from byoc_kit.notebook.notebook_file import parse_notebook, read_notebook
from byoc_kit.notebook.rules.modules import module_names


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


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Packages that can be found; importing one fails."""
    folder = tmp_path / "site"
    monkeypatch.syspath_prepend(folder)

    def write(**sources):
        for name, source in sources.items():
            package = folder / name
            package.mkdir(parents=True)
            (package / "__init__.py").write_text(f"{source}\nraise AssertionError('imported')\n")
            (package / "part.py").write_text("INSIDE = 1\n")
        importlib.invalidate_caches()
        module_names.cache_clear()

    yield write
    module_names.cache_clear()


def missing(make_sound, source):
    return [finding.message for finding in check(make_sound(source)) if finding.code == "missing-name"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import byoc_kit\nbyoc_kit.Field", "the module byoc_kit has no Field"),
        ("import byoc_kit as kit\ndef f(): return kit.Capabilty", "the module byoc_kit has no Capabilty"),
        ("from byoc_kit.core.frames import Videoframe", "the module byoc_kit.core.frames has no Videoframe"),
        ("from math import tua", "the module math has no tua"),
        ("import json\njson.dumpz({})", "the module json has no dumpz"),
    ],
)
def test_a_name_that_a_module_does_not_have(make_sound, source, message):
    assert missing(make_sound, source) == [message]


@pytest.mark.parametrize(
    "source",
    [
        "from byoc_kit import Params, asset, errors\nimport byoc_kit.core.params\nbyoc_kit.core.params.Params",
        "import json.decoder\njson.decoder.JSONDecoder\nfrom json import decoder",
        "try:\n    from math import tua\nexcept ImportError:\n    tua = 6",
        "import math\nif hasattr(math, 'tua'):\n    math.tua",
        "import math\ntry:\n    math.tua\nexcept AttributeError:\n    pass",
        "import sys, math\nif sys.version_info < (3, 12):\n    x = 1\nelse:\n    from math import tua\n    math.tua",
        "import signal, sys\nif sys.platform == 'win32':\n    signal.CTRL_C_EVENT",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from math import tua",
        "import math\nmath = object()\nmath.tua",
        "def f(math): return math.tua",
        "from concurrent import futures\nfrom xml import etree",
    ],
)
def test_a_name_that_is_there_or_may_be(make_sound, source):
    assert missing(make_sound, source) == []


SHOWN = "import os\nif os:\n    A = 1\nelse:\n    from os import path as B\ndef f():\n    global C\n    C = 1"


def test_the_names_of_an_installed_module_are_read_and_nothing_is_run(make_sound, installed):
    installed(shown=SHOWN)
    assert missing(make_sound, "from shown import A, B, C, f, part\nimport shown.part\nshown.part.INSIDE, shown.D") == [
        "the module shown has no D"
    ]
    assert missing(make_sound, "from shown.part import INSIDE, OUTSIDE") == ["the module shown.part has no OUTSIDE"]
    assert "shown" not in sys.modules


@pytest.mark.parametrize(
    "source",
    [
        "def __getattr__(name): ...",
        "__getattr__, __dir__, __all__ = attach()",
        "from os import *",
        "globals()['A'] = 1",
        "import sys\nsetattr(sys.modules[__name__], 'A', 1)",
        "exec('A = 1')",
        "from os import exports\n@exports.export\nclass B: ...",
        "vars()['A'] = 1",
    ],
)
def test_nothing_is_reported_of_a_module_that_makes_its_names(make_sound, installed, source):
    installed(lazy=source)
    assert missing(make_sound, "from lazy import A") == []


def test_a_file_next_to_the_notebook_is_not_the_installed_module(tmp_path, installed):
    installed(shown=SHOWN)
    (tmp_path / "shown.py").write_text("D = 1\n")
    raw = notebook_json(("byoc", "from shown import D"), ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)).encode()
    findings = check_notebook(Analysis(parse_notebook(raw, name="n.ipynb", folder=tmp_path)))
    assert "missing-name" not in {finding.code for finding in findings}


@pytest.mark.parametrize("module", ["PIL.ImageOps", "torch.utils.data", "torch.hub", "tqdm", "tqdm.std", "safetensors"])
def test_what_is_read_is_what_is_there(module):
    there = {name for name in dir(importlib.import_module(module)) if not name.startswith("__")}
    submodules = {name for name in there if f"{module}.{name}" in sys.modules}
    assert there - submodules - (module_names(module) or there) == set()


@pytest.mark.parametrize("other", [one for one in PYTHONS if one != PYTHON])
def test_another_python_that_the_kit_runs_on_can_be_the_containers(other):
    language = {"name": "python", "version": f"{other}.4"}
    document = json.loads(notebook_json(("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)))
    document["metadata"]["language_info"] = language
    notebook = parse_notebook(json.dumps(document).encode(), name="n.ipynb")
    [hint] = [one.hint for one in check(notebook) if one.code == "python-version"]
    assert hint == f"run it with a kernel of Python {PYTHON}, or export it in an environment with Python {other}"
