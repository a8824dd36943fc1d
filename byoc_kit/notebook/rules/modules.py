"""Whether the container will have the modules that the tagged cells import, and the modules the names.

A module is read, never imported. Nothing is said of one whose names its source does not show: an extension, or one that
makes names when it runs.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

import byoc_kit
from byoc_kit import PYTHON, PYTHONS
from byoc_kit.errors import shown
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import Reference, references
from byoc_kit.notebook.cell_source import unparse
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.module_owners import providers
from byoc_kit.notebook.names import Import, bindings, bound_by, handling, imports, is_for_notebooks

SHADOWED_MODULE = Rule(
    code="shadowed-module",
    severity=Severity.ERROR,
    about="a file beside the notebook is imported in place of a module of the same name",
    why=(
        "The notebook's folder comes first where Python looks for a module. The container has no such file, and "
        "imports the installed module."
    ),
    example="""\
import numpy as np

zero = np.zeros(3)
""",
    is_said_once=True,
    files=("numpy.py",),
)
AMBIGUOUS_MODULE = Rule(
    code="ambiguous-module",
    severity=Severity.ERROR,
    about="several installed distributions provide the module, and the code does not say which",
    why="The image installs what provides a module. Here it cannot know which distribution you mean.",
    is_said_once=True,
)
MISSING_MODULE = Rule(
    code="missing-module",
    severity=Severity.ERROR,
    about="no installed distribution provides an imported module",
    why=(
        "The image installs the distributions that provide the imported modules, in the versions of this environment."
        " This one has none."
    ),
    example="import no_such_module_is_there",
    ignorable=True,
    is_said_once=True,
)
MISSING_NAME = Rule(
    code="missing-name",
    severity=Severity.ERROR,
    about="an installed module does not have the name that is taken from it",
    why="The import or the line raises an error in the container. The name is misspelt, or of another version.",
    example="from byoc_kit import Field, Params",
    ignorable=True,
)
PYTHON_VERSION = Rule(
    code="python-version",
    severity=Severity.WARNING,
    about="the notebook was run with another Python than the container's",
    why=(
        "The container has the Python that exports the notebook. Between versions of Python, syntax and libraries "
        "differ. What works in the notebook may not work in the container."
    ),
)

# Builds of one library; the lock takes the one that needs no display.
_OPENCV = {f"opencv-{kind}" for kind in ("python", "python-headless", "contrib-python", "contrib-python-headless")}

# What gives a module names that no statement of it binds.
_MAKES_NAMES = {"exec", "global_enum", "globals", "locals", "ModuleType", "_simple_enum"}
# Others may do so, as matplotlib's `@_Backend.export` of a class does.
_PLAIN_DECORATORS = {
    *("dataclass", "dataclasses.dataclass", "enum.unique", "final", "functools.total_ordering", "runtime_checkable"),
    *("total_ordering", "typing.final", "typing.runtime_checkable", "unique"),
}
# Conditions on the interpreter or the system: one of the branches is for another.
_KINDS_OF_MACHINE = ("TYPE_CHECKING", "os.name", "platform", "system()", "version")
_LARGEST = 200_000  # bytes of source, which take some 0.1 s to parse
# Where to import what is often looked for in the kit.
_HOMES = {"Field": "pydantic", "field_validator": "pydantic", "BaseModel": "pydantic", "Literal": "typing"}


def check_modules(analysis: Analysis) -> Iterator[Finding]:
    """Yield a finding for each import of a module that the container would not have, or not the same."""
    for found in imports(analysis):
        if found.module == "byoc_kit" or is_for_notebooks(found.name):
            continue
        yield from _check_import(analysis, found)


def check_python(analysis: Analysis) -> Iterator[Finding]:
    """Yield whether the notebook was run with another Python than the container has."""
    python = analysis.notebook.python
    version = ".".join(python.split(".")[:2]) if python else PYTHON
    if version == PYTHON:
        return
    message = f"the notebook was run with Python {python}, and the container has {PYTHON}"
    hint = f"run it with a kernel of Python {PYTHON}"
    if version in PYTHONS:
        hint += f", or export it in an environment with Python {version}"
    yield Finding(PYTHON_VERSION, analysis.name, message, hint)


def _check_import(analysis: Analysis, found: Import) -> Iterator[Finding]:
    is_standard = found.module in sys.stdlib_module_names
    provided = set() if is_standard else providers(found.name)
    beside = _beside(analysis.folder, found.module)
    if beside and (is_standard or provided):
        message = f"the notebook imports {beside} from its own folder, and the container another {found.module}"
        hint = f"rename {beside}, and move what you use of it to a tagged cell"
        yield Finding(SHADOWED_MODULE, analysis.name, message, hint, found.place)
    elif len(provided - _OPENCV) + bool(provided & _OPENCV) > 1:
        message = f"{' and '.join(sorted(provided))} both provide the module {found.module}"
        hint = "uninstall all but the one that you mean"
        yield Finding(AMBIGUOUS_MODULE, analysis.name, message, hint, found.place)
    elif not (is_standard or provided or found.is_optional):
        message = f"no installed distribution provides the module {found.module}"
        yield Finding(MISSING_MODULE, analysis.name, message, _how_to_have(analysis, found.module, beside), found.place)


def _how_to_have(analysis: Analysis, module: str, beside: str | None) -> str:
    """Say how the image gets a module; ``beside`` is its file or folder beside the notebook."""
    if beside:
        return (
            "it lies beside the notebook and is not exported; install it with pip from a folder with a pyproject.toml, "
            "or move what you use of it to a tagged cell"
        )
    if below := _below(analysis.folder, module):
        return (
            f"it may be {below}, which is not exported; move what you use of it to a tagged cell, or make it a package"
        )
    return "install it in this environment with pip"


def _below(folder: Path | None, module: str) -> str | None:
    """Return the file or folder of a module in a folder beside the notebook, which `sys.path` may name."""
    if folder is None:
        return None
    try:
        found = [*folder.glob(f"*/{module}/__init__.py"), *folder.glob(f"*/{module}.py")]
    except OSError:
        return None
    return min((str(path.relative_to(folder)).removesuffix("__init__.py") for path in found), default=None)


def _beside(folder: Path | None, module: str) -> str | None:
    """Return the file or folder beside the notebook that its import of a module finds first."""
    if folder is None:
        return None
    try:
        if (folder / module / "__init__.py").is_file():
            return f"{module}/"
        return f"{module}.py" if (folder / f"{module}.py").is_file() else None
    except OSError:  # no file can have so long a name
        return None


def check_module_names(analysis: Analysis) -> Iterator[Finding]:
    """Yield the names that imports and attributes take from modules that surely do not have them."""
    passed_over: set[int] = set()
    for cell in analysis.cells:
        nodes = cell.nodes
        # whoever asks first knows that it may be missing
        handled = {id(node) for block in nodes for node in _handled(block)}
        for node in nodes:
            if not isinstance(node, ast.ImportFrom) or not node.module or node.level or id(node) in handled:
                continue
            for alias in node.names:
                yield from _check_name(analysis, node.module, alias.name, Place.of(cell, alias))
        passed_over |= handled
    rebound = {b.name for b in bindings(analysis) if not isinstance(b.node, ast.Import | ast.ImportFrom)}
    for reference in references(analysis):
        module, _, name = reference.name.rpartition(".")
        if id(reference.node) in passed_over or not isinstance(reference.node, ast.Attribute):
            continue
        if _is_of_a_module(reference, module, rebound):
            yield from _check_name(analysis, module, name, Place.of(reference.cell, reference.node))


def _is_of_a_module(reference: Reference, module: str, rebound: AbstractSet[str]) -> bool:
    """Whether an attribute is asked of a module, and not of a function that has its name in the package."""
    root: ast.expr = reference.node
    while isinstance(root, ast.Attribute):
        root = root.value
    package, _, name = module.rpartition(".")
    names = module_names(package) if package else frozenset()
    is_module = "(" not in module and names is not None and name not in names
    return is_module and getattr(root, "id", "") not in rebound and not _asks(reference.cell.python)


def _check_name(analysis: Analysis, module: str, name: str, place: Place) -> Iterator[Finding]:
    root = module.partition(".")[0]
    if name == "*" or name.startswith("__") or is_for_notebooks(f"{module}.{name}") or _is_beside(analysis, root):
        return
    names = module_names(module)
    if names is None or name in names or _find(f"{module}.{name}") is not None:
        return
    near = get_close_matches(name, sorted(names), 1)
    hint = f"did you mean {near[0]}?" if near else "import it from where it is defined"
    if root == "byoc_kit":
        hint = f"write `from {_HOMES[name]} import {name}`" if name in _HOMES else hint
    yield Finding(MISSING_NAME, analysis.name, f"the module {module} has no {shown(name)}", hint, place)


@lru_cache(maxsize=256)
def module_names(module: str) -> frozenset[str] | None:
    """Return the names that a module has, submodules apart; ``None`` if its source does not say."""
    if module == "byoc_kit":
        return frozenset(dir(byoc_kit))
    if module.partition(".")[0] in sys.stdlib_module_names:  # known exactly, where this process has imported it
        return frozenset(dir(sys.modules[module])) if module in sys.modules else None
    spec = _find(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        file = Path(spec.origin)
        tree = ast.parse(file.read_bytes()) if file.stat().st_size <= _LARGEST else None
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    names = frozenset(_names_of(tree)) if tree and not any(map(_makes_names, ast.walk(tree))) else None
    return names if names is not None and "__getattr__" not in names else None


def _names_of(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        yield from (name for name, _ in bound_by(statement))
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def _makes_names(node: ast.AST) -> bool:
    """Whether a node may give its module names that are not written there."""
    match node:
        case ast.ImportFrom(names=[ast.alias(name="*")]) | ast.Attribute(value=ast.Name(id="sys"), attr="modules"):
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in _MAKES_NAMES:
            return True
        case ast.Call(func=ast.Name(id="vars"), args=[]):
            return True
        case ast.ClassDef(decorator_list=decorators):
            return any(unparse(decorator).partition("(")[0] not in _PLAIN_DECORATORS for decorator in decorators)
    return False


def _find(module: str) -> ModuleSpec | None:
    """Return where a module lies, without importing its packages as ``find_spec`` does."""
    path = None
    spec = None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        try:
            spec = PathFinder.find_spec(".".join(parts[:count]), path)
        except (ImportError, ValueError, OSError):
            return None
        if spec is None:
            return None
        path = spec.submodule_search_locations
        if path is None and count < len(parts):
            return None
    return spec


def _is_beside(analysis: Analysis, module: str) -> bool:
    """Whether the notebook imports a file of its own folder by that name."""
    folder = analysis.folder
    return folder is not None and ((folder / f"{module}.py").exists() or (folder / module).is_dir())


def _handled(block: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands where a missing name is handled, or in a branch for another system or a type checker."""
    statements = [*handling(block, {"ImportError"})]
    if isinstance(block, ast.If) and any(name in unparse(block.test) for name in _KINDS_OF_MACHINE):
        statements += [*block.body, *block.orelse]
    for statement in statements:
        yield from ast.walk(statement)


def _asks(source: str) -> bool:
    """Whether a cell looks if something is there."""
    return "hasattr(" in source or "AttributeError" in source
