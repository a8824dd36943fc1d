"""Names that the tagged cells use and nothing defines, and imports that a module cannot have."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.cell_source import unparse
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.names import NOTEBOOK_NAMES, Function, first_bound, undefined_names, untagged_cell
from byoc_kit.notebook.notebook_file import TAG

STAR_IMPORT = Rule(
    code="star-import",
    severity=Severity.ERROR,
    about="`import *` hides which names there are",
    why=(
        "Nobody can say which names the line brings. A name that is missing in the container could not be found "
        "before it runs."
    ),
    example="from math import *",
)
RELATIVE_IMPORT = Rule(
    code="relative-import",
    severity=Severity.ERROR,
    about="an exported module has no package around it",
    why="The exported module is one file. A relative import needs a package around it.",
    example="from .lib import shade",
)
UNDEFINED_NAME = Rule(
    code="undefined-name",
    severity=Severity.ERROR,
    about="a name is used that nothing defines",
    why="The line raises a NameError when the container comes to it.",
    example="""\
def process_frame(frame):
    return frame.tensor * GAIN
""",
    ignorable=True,
    is_said_once=True,
)
UNTAGGED_NAME = Rule(
    code="untagged-name",
    severity=Severity.ERROR,
    about="a name is defined only in a cell that is not tagged",
    why="The container runs the tagged cells alone. The name is there in the notebook, and not in the container.",
    example="""\
# %%
GAIN = 0.5

# %% byoc
def process_frame(frame):
    return frame.tensor * GAIN
""",
    ignorable=True,
    fixable=True,
    is_said_once=True,
)
USED_BEFORE_DEFINITION = Rule(
    code="used-before-definition",
    severity=Severity.ERROR,
    about="a name is used in a cell above its definition",
    why="The exported module runs the cells from top to bottom. The notebook ran them in another order.",
    example="""\
# %% byoc
double = 2 * GAIN

# %% byoc
GAIN = 0.5
""",
    ignorable=True,
)


_WITH_PARAMS = {"process_frame", "process_audio"}


def check_names(analysis: Analysis) -> Iterator[Finding]:
    """Yield the names that the tagged cells use and nothing above defines.

    They are read in the notebook's order. In the module imports may stand further up, which only defines more.
    """
    from pyflakes import messages

    for cell, message in undefined_names(analysis.cells):
        name = message.message_args[0]
        if isinstance(message, messages.ImportStarUsage) and not untagged_cell(analysis, name):
            continue  # the star may bring it
        end = message.col + len(name.encode(errors="surrogatepass"))
        place = Place.at(cell, message.lineno, message.col, end)
        if isinstance(message, messages.UndefinedLocal):
            text = f"{name} is used in this function before it is assigned there"
            hint = f"write `global {name}` first, or give the local one another name"
            yield Finding(USED_BEFORE_DEFINITION, analysis.name, text, hint, place)
        elif name not in NOTEBOOK_NAMES:
            yield from _check_undefined(analysis, name, place)


def check_imports(analysis: Analysis) -> Iterator[Finding]:
    """Yield imports that an exported module cannot have, or that hide what it has."""
    for cell in analysis.cells:
        for node in cell.nodes:
            if not isinstance(node, ast.ImportFrom):
                continue
            if node.level:
                message = f"`{unparse(node)}` is relative, and the exported module has no package around it"
                hint = "import an installed package by its name"
                yield Finding(RELATIVE_IMPORT, analysis.name, message, hint, Place.of(cell, node))
            elif any(alias.name == "*" for alias in node.names):
                message = f"`{unparse(node)}` hides which names there are, so that none can be checked"
                hint = f"import what you use by name: from {node.module} import ..."
                yield Finding(STAR_IMPORT, analysis.name, message, hint, Place.of(cell, node))


def _check_undefined(analysis: Analysis, name: str, place: Place) -> Iterator[Finding]:
    below = first_bound(analysis).get(name)
    untagged = untagged_cell(analysis, name, above=place.cell.number)
    is_above = untagged is not None and untagged < place.cell.number
    if below and not is_above:
        message, hint = f"{name} is used above its definition", f"cell {below} defines it, too late; move it up"
        yield Finding(USED_BEFORE_DEFINITION, analysis.name, message, hint, place)
    elif untagged:
        message, hint = f"{name} is not in the tagged cells", f"cell {untagged} defines it; tag that cell `{TAG}`"
        yield Finding(UNTAGGED_NAME, analysis.name, message, hint, place, needs_cell=untagged)
    elif name == "params" and (hook := _hook_around(place)):
        message = f"{hook.name} uses params, and does not take them"
        first = next(iter([*hook.args.posonlyargs, *hook.args.args])).arg
        yield Finding(UNDEFINED_NAME, analysis.name, message, f"add it: def {hook.name}({first}, params)", place)
    else:
        yield Finding(UNDEFINED_NAME, analysis.name, f"nothing defines {name}", "define or import it", place)


def _hook_around(place: Place) -> Function | None:
    """Return the hook that a line stands in, where it is given a frame and could take the parameters too."""
    for node in place.cell.tree.body:
        if isinstance(node, Function) and node.lineno <= (place.line or 0) <= (node.end_lineno or 0):
            takes_a_frame = bool(node.args.posonlyargs or node.args.args)
            return node if node.name in _WITH_PARAMS and takes_a_frame else None
    return None
