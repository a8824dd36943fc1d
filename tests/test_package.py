import ast
import subprocess
import sys
from pathlib import Path

import pytest

import byoc_kit

PACKAGE = Path(byoc_kit.__file__).parent
HEAVY = ["torch", "av", "nbconvert", "IPython", "fastapi", "pydantic", "papermill", "aiohttp", "numpy"]
EDGES = ("notebook", "jupyter", "network", "regress", "verify", "image", "bench")
COMMANDS = {"cli.py", "demo.py", "watch.py"}
CORE = sorted(path for path in PACKAGE.glob("*.py") if path.name not in {"__init__.py", *COMMANDS})
BELOW_THE_EDGES = [
    *CORE,
    *(path for name in ("media", "trickle", "server") for path in sorted((PACKAGE / name).glob("*.py"))),
]


def imports_of(path):
    """Name every module that a file imports, also inside functions, `from a import b` as `a.b`."""
    parent = ".".join(("byoc_kit", *path.relative_to(PACKAGE).parent.parts))
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parent.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def test_importing_the_package_stays_light():
    code = f"import sys, byoc_kit; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", byoc_kit.__all__)
def test_every_promised_name_is_there_on_first_use(name):
    promised = getattr(byoc_kit, name)
    assert promised.__name__ in {name, f"byoc_kit.{name}"}
    assert callable(promised)
    assert name in dir(byoc_kit)


def test_the_promised_names_are_the_ones_with_a_home():
    assert sorted(byoc_kit.__all__) == sorted(byoc_kit._HOME)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'byoc_kit' has no attribute 'Previw'"):
        _ = byoc_kit.Previw


def test_reading_a_notebook_needs_no_bundle():
    names = [name for path in sorted((PACKAGE / "notebook").glob("*.py")) for name in imports_of(path)]
    assert [name for name in names if name.startswith("byoc_kit.bundle")] == []


@pytest.mark.parametrize("path", BELOW_THE_EDGES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_below_the_edges_imports_one(path):
    edges = tuple(f"byoc_kit.{edge}" for edge in EDGES)
    assert [name for name in imports_of(path) if name.startswith(edges)] == []
