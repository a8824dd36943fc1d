import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import byoc_kit

HEAVY = ["torch", "av", "nbconvert", "IPython", "fastapi", "pydantic", "papermill", "aiohttp", "numpy"]


@pytest.mark.parametrize("module", ["byoc_kit", "byoc_kit.cli"])
def test_importing_it_stays_light(module):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", byoc_kit.__all__)
def test_every_promised_name_is_there_on_first_use(name):
    promised = getattr(byoc_kit, name)
    assert promised.__name__ == name
    assert callable(promised)
    assert promised.__doc__
    assert name in dir(byoc_kit)


def test_the_promised_names_are_the_ones_with_a_home():
    assert sorted(byoc_kit.__all__) == sorted(byoc_kit._HOME)


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0), (4, 11, 2)])
def test_an_unsupported_python_is_told_so_at_the_import(monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", (*version, "final", 0))
    found = f"{version[0]}.{version[1]}"
    said = f"byoc-kit needs Python 3.11, 3.12 or 3.13, and this is {found}; choose a kernel with one that it runs on"
    with pytest.raises(ImportError) as told:
        runpy.run_path(byoc_kit.__file__)
    assert str(told.value) == said


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (3, 13, 9)])
def test_a_supported_python_is_told_nothing(monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", (*version, "final", 0))
    assert runpy.run_path(byoc_kit.__file__)["PYTHON"] == f"{version[0]}.{version[1]}"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'byoc_kit' has no attribute 'Previw'"):
        _ = byoc_kit.Previw


def test_imports_run_one_way_and_never_in_a_circle():
    """The layers are in ``pyproject.toml``, and shown in ``CONTRIBUTING.md``."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
