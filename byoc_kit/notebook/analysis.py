"""All that is known of a notebook's tagged cells without running them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from byoc_kit.core.capability import Capability
from byoc_kit.notebook.asset_uses import AssetUse, assets_of
from byoc_kit.notebook.calls import Reference, Scope, module_scope, references
from byoc_kit.notebook.capability_cell import read_capability
from byoc_kit.notebook.check import check
from byoc_kit.notebook.constants import bound_once, constants, text_constants
from byoc_kit.notebook.findings import Finding, require_no_error
from byoc_kit.notebook.imports import MergedImports, merge_imports
from byoc_kit.notebook.module import Module, render_module
from byoc_kit.notebook.names import Binding, Import, bindings, imports, untagged_names
from byoc_kit.notebook.notebook_file import Cell, Notebook
from byoc_kit.notebook.params_class import ParamsClass, read_params
from byoc_kit.notebook.rules.files import FileUse, file_uses
from byoc_kit.notebook.static_eval import NotStatic, Static


def analyse(notebook: Notebook) -> Analysis:
    """Return the analysis of a notebook; nothing is computed before it is asked for."""
    return Analysis(notebook)


class Analysis:
    """A notebook and what its tagged cells say. Each part is found when it is first asked for, and once.

    All parts but ``findings`` raise ``SyntaxError`` where a tagged cell is no Python.
    """

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.name = notebook.name
        self.folder: Path | None = notebook.folder

    @cached_property
    def exported(self) -> list[Cell]:
        """The code cells tagged ``byoc``, in order."""
        return self.notebook.exported

    @cached_property
    def findings(self) -> list[Finding]:
        """What is wrong with the notebook, in its order; it can be exported where none is an error."""
        return check(self)

    @cached_property
    def module(self) -> Module:
        """The exported module. Raises ``NotebookError`` where a finding is an error."""
        require_no_error(self.findings)
        return self.unchecked_module

    @cached_property
    def unchecked_module(self) -> Module:
        """The module as it would be exported if nothing were wrong with it."""
        return render_module(self)

    @cached_property
    def merged_imports(self) -> MergedImports:
        """The imports that go to the top of the module, and what each cell is without them."""
        return merge_imports(self.exported, self.bindings)

    @cached_property
    def bindings(self) -> list[Binding]:
        """What the cells bind at their top level, in order."""
        return bindings(self.exported)

    @cached_property
    def first_bound(self) -> Mapping[str, int]:
        """The number of the first cell that binds each name."""
        return {binding.name: binding.cell.number for binding in reversed(self.bindings)}

    @cached_property
    def untagged(self) -> Mapping[str, list[int]]:
        """The numbers of the cells that are not tagged and bind each name."""
        return untagged_names(self.notebook)

    @cached_property
    def imports(self) -> list[Import]:
        """What the cells import by absolute name, at whatever depth."""
        return imports(self.exported)

    @cached_property
    def scope(self) -> Scope:
        """What the names stand for that the cells bind at their top level."""
        return module_scope(self.bindings)

    @cached_property
    def references(self) -> list[Reference]:
        """What the cells read that has a dotted name, and all that they call, in the order of the text."""
        return references(self.exported, self.scope)

    @cached_property
    def calls(self) -> list[Reference]:
        """The calls among the references."""
        return [reference for reference in self.references if reference.call is not None]

    @cached_property
    def bound_once(self) -> list[tuple[str, ast.expr]]:
        """The names that one plain assignment at the top level binds for good, and what it says."""
        return bound_once(self.exported, self.bindings)

    @cached_property
    def constants(self) -> Mapping[str, Any]:
        """The names that are bound for good to a plain value, and those values."""
        return constants(self.bound_once, self.scope)

    @cached_property
    def text_constants(self) -> Mapping[str, str]:
        """The names that are bound for good to a text or a path."""
        return text_constants(self.bound_once, self.scope)

    @cached_property
    def static(self) -> Static:
        """Reads the classes and values of the top level."""
        return Static(self.bindings, self.scope)

    @cached_property
    def capability(self) -> Capability | Finding:
        """What the container offers, or why it cannot be read."""
        return read_capability(self)

    @cached_property
    def params(self) -> ParamsClass | NotStatic:
        """The class of the parameters, or why only running the notebook would tell."""
        return read_params(self.static)

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema of the parameters; ``None`` where there are none, or only running would tell."""
        return self.params.schema if isinstance(self.params, ParamsClass) else None

    @cached_property
    def assets(self) -> list[AssetUse]:
        """The assets that the cells name, in the order of the text."""
        return assets_of(self)

    @cached_property
    def file_uses(self) -> list[FileUse]:
        """The files that calls read or write, by names that may be passed from call to call."""
        return file_uses(self)
