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


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'byoc_kit' has no attribute 'Previw'"):
        _ = byoc_kit.Previw


def test_imports_run_one_way_and_never_in_a_circle():
    """The layers are in ``pyproject.toml``, and shown in ``CONTRIBUTING.md``."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
