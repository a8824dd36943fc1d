"""What the tagged cells declare to the exporter, found without running them: the capability, and the assets."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from byoc_kit.core.assets import asset_key, bundle_file, find_asset
from byoc_kit.core.capability import Capability
from byoc_kit.core.params import params_error
from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.calls import Reference, module_scope, references
from byoc_kit.notebook.cell_source import last_name
from byoc_kit.notebook.constants import NotConstantError, constant, constants
from byoc_kit.notebook.findings import Place
from byoc_kit.notebook.names import Binding, bindings, untagged_cell
from byoc_kit.notebook.notebook_file import TAG, NotebookError
from byoc_kit.remote.names import is_remote, parse_remote
from byoc_kit.system.files import sha256_of

_EXAMPLE = 'write capability = Capability(model_id="my-model", price_per_unit=3000) in a tagged cell'
_ALL = 'write it as in Capability(model_id="my-model", price_per_unit=3000, warm=True, capacity=1)'
_ASSET = {"byoc_kit.asset", "byoc_kit.core.assets.asset"}


@dataclass(frozen=True)
class NoCapability:
    """Why there is no capability: what is wrong, what to do, and where. Without a place, no tagged cell binds it.

    ``needs_cell`` is the number of the cell that binds it and has no tag.
    """

    message: str
    hint: str
    place: Place | None = None
    needs_cell: int | None = None


@part
def read_capability(analysis: Analysis) -> Capability | NoCapability:
    """Read the last ``capability`` of the tagged cells, or say why it cannot be read."""
    bound = bindings(analysis)
    binding = next((b for b in reversed(bound) if b.name == "capability"), None)
    if binding is None:
        untagged = untagged_cell(analysis, "capability")
        hint = f"cell {untagged} does; tag that cell `{TAG}`" if untagged else _EXAMPLE
        return NoCapability("no tagged cell says what the container offers", hint, needs_cell=untagged)
    place = Place.of(binding.cell, binding.statement)
    classes = {"Capability", *(b.name for b in bound if _is_capability_class(b))}
    named = _named_arguments(binding.statement, classes)
    if named is None:
        return NoCapability("capability must be a call of Capability with named arguments", _EXAMPLE, place)
    arguments = {}
    for name, value in named:
        try:
            arguments[name] = constant(value, module_scope(analysis), constants(analysis))
        except NotConstantError:
            message = f"Capability, {name}: is not a literal, and the exporter does not run the notebook"
            return NoCapability(message, "write the value itself", place)
    try:
        return Capability(**arguments)
    except ValidationError as error:
        wrong = params_error(error)
        if wrong.field not in Capability.model_fields:
            hint = f"it has {', '.join(Capability.model_fields)}"
            return NoCapability(f"Capability has no {wrong.field}", hint, place)
        return NoCapability(f"Capability, {wrong.field}: {wrong.reason}", _ALL, place)


def require_capability(analysis: Analysis) -> Capability:
    """Return the capability. Raises ``NotebookError`` where it cannot be read."""
    found = read_capability(analysis)
    if isinstance(found, NoCapability):
        msg = f"{analysis.name}: {found.message}; {found.hint}"
        raise NotebookError(msg)
    return found


def _is_capability_class(binding: Binding) -> bool:
    """Whether it is an ``import Capability as name``."""
    aliases = binding.node.names if isinstance(binding.node, ast.ImportFrom) else []
    return any(alias.name == "Capability" and alias.asname == binding.name for alias in aliases)


def _named_arguments(statement: ast.stmt, classes: set[str]) -> list[tuple[str, ast.expr]] | None:
    """Return the arguments of ``name = Class(argument=...)``; ``None`` for any other statement."""
    call = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    if not isinstance(call, ast.Call) or call.args or last_name(call.func) not in classes:
        return None
    named = [(keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg]
    return named if len(named) == len(call.keywords) else None


@dataclass(frozen=True)
class AssetUse:
    """A call of ``asset`` with a name that is known without running it; ``node`` is its argument."""

    name: str
    place: Place
    node: ast.expr

    @property
    def is_remote(self) -> bool:
        """Whether it lies at a URL or on the hub, and not beside the notebook."""
        return is_remote(self.name)


@dataclass(frozen=True)
class AssetFile:
    """A file that the bundle gets: where it lies now, where the bundle keeps it, and what is in it."""

    source: Path
    target: str
    sha256: str
    size: int


@part
def assets_of(analysis: Analysis) -> list[AssetUse]:
    """Return the assets that the tagged cells name, in the order of the text."""
    found = []
    for reference in asset_references(analysis):
        node, name = _argument(reference), asset_name(analysis, reference)
        if node is not None and name is not None:
            found.append(AssetUse(name, Place.of(reference.cell, node), node))
    return found


def collect(analysis: Analysis) -> dict[str, AssetFile]:
    """Return the files to copy into the bundle, by the name that manifests know them by, sorted.

    Raises ``AssetError`` if one cannot be had, and ``NotebookError`` where the notebook has no folder.
    """
    names = sorted({asset_key(use.name) for use in assets_of(analysis) if not use.is_remote})
    if names and analysis.folder is None:
        msg = f"{analysis.name}: its assets cannot be found, since nothing says where it lies; save it first"
        raise NotebookError(msg)
    return {name: _file(find_asset(analysis.folder or Path(), name)) for name in names}


def remote_assets(analysis: Analysis) -> list[str]:
    """Return the names of the assets that lie elsewhere, sorted. Raises ``AssetError`` for a form that is not known."""
    return sorted({parse_remote(use.name).text for use in assets_of(analysis) if use.is_remote})


def _file(source: Path) -> AssetFile:
    sha256 = sha256_of(source)
    return AssetFile(source, bundle_file(source.name, sha256), sha256, source.stat().st_size)


def asset_references(analysis: Analysis) -> list[Reference]:
    """Return where the tagged cells use ``asset``."""
    return [reference for reference in references(analysis) if reference.name in _ASSET]


def _argument(reference: Reference) -> ast.expr | None:
    """Return the one argument of ``asset("name")``; ``None`` for any other use."""
    call = reference.call
    if call is None or len(call.args) + len(call.keywords) != 1:
        return None
    return reference.argument(0, "name")


def asset_name(analysis: Analysis, reference: Reference) -> str | None:
    """Return the name that ``asset`` is given; ``None`` where only running the notebook would tell."""
    argument = _argument(reference)
    if argument is None:
        return None
    try:
        name = constant(argument, reference.scope, constants(analysis))
    except NotConstantError:
        return None
    return name if isinstance(name, str) else None
