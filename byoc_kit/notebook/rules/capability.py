"""``capability = Capability(...)``, read without running the notebook."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pydantic import ValidationError

from byoc_kit.core.capability import Capability
from byoc_kit.core.params import params_error
from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.calls import module_scope
from byoc_kit.notebook.cell_source import last_name
from byoc_kit.notebook.constants import NotConstantError, constant, constants
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.names import Binding, bindings, untagged_cell
from byoc_kit.notebook.notebook_file import TAG

NO_CAPABILITY = Rule(
    code="no-capability",
    severity=Severity.ERROR,
    about="no tagged cell says what the container offers",
    why=(
        "The capability says under which name, at which price and for how many streams at once the network finds the "
        "container."
    ),
    example="""\
# %%
from byoc_kit import Capability

capability = Capability(model_id="tint")

# %% byoc
def process_frame(frame):
    return frame
""",
    fixable=True,
)
CAPABILITY = Rule(
    code="capability",
    severity=Severity.ERROR,
    about="capability is no call of Capability with literals",
    why=(
        "The exporter does not run the notebook. It reads the capability from the text, and so needs the values "
        "themselves."
    ),
    example="""\
from byoc_kit import Capability

NAME = input()
capability = Capability(model_id=NAME)
""",
)

_EXAMPLE = 'write capability = Capability(model_id="my-model", price_per_unit=3000) in a tagged cell'

_ALL = 'write it as in Capability(model_id="my-model", price_per_unit=3000, warm=True, capacity=1)'


@part
def read_capability(analysis: Analysis) -> Capability | Finding:
    """Read the last ``capability`` of the tagged cells, or say why it cannot be read."""
    bound = bindings(analysis)
    binding = next((b for b in reversed(bound) if b.name == "capability"), None)
    if binding is None:
        untagged = untagged_cell(analysis, "capability")
        hint = f"cell {untagged} does; tag that cell `{TAG}`" if untagged else _EXAMPLE
        message = "no tagged cell says what the container offers"
        return Finding(NO_CAPABILITY, analysis.name, message, hint, needs_cell=untagged)

    def finding(message: str, hint: str) -> Finding:
        return Finding(CAPABILITY, analysis.name, message, hint, Place.of(binding.cell, binding.statement))

    classes = {"Capability", *(b.name for b in bound if _is_capability_class(b))}
    named = _named_arguments(binding.statement, classes)
    if named is None:
        return finding("capability must be a call of Capability with named arguments", _EXAMPLE)
    arguments = {}
    for name, value in named:
        try:
            arguments[name] = constant(value, module_scope(analysis), constants(analysis))
        except NotConstantError:
            message = f"Capability, {name}: is no literal, and the exporter does not run the notebook"
            return finding(message, "write the value itself")
    try:
        return Capability(**arguments)
    except ValidationError as error:
        wrong = params_error(error)
        if wrong.field not in Capability.model_fields:
            return finding(f"Capability has no {wrong.field}", f"it has {', '.join(Capability.model_fields)}")
        return finding(f"Capability, {wrong.field}: {wrong.reason}", _ALL)


def check_capability(analysis: Analysis) -> Iterator[Finding]:
    """Yield what keeps the capability from being read."""
    found = read_capability(analysis)
    if isinstance(found, Finding):
        yield found


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
