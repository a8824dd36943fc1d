"""``capability = Capability(...)``, which the exporter reads without running the notebook."""

from __future__ import annotations

from collections.abc import Iterator

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.declarations import NoCapability, read_capability
from byoc_kit.notebook.findings import Finding, Rule, Severity
from byoc_kit.notebook.names import bindings

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
    about="capability is not a call of Capability with literals",
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


SECOND_CAPABILITY = Rule(
    code="second-capability",
    severity=Severity.WARNING,
    about="capability is bound a second time, and only the last one counts",
    why="The container is announced by one capability. What an earlier one says of name and price has no effect.",
    example="""\
from byoc_kit import Capability

capability = Capability(model_id="tint", price_per_unit=3000)
capability = Capability(model_id="tint", price_per_unit=9000)
""",
)


def check_capability(analysis: Analysis) -> Iterator[Finding]:
    """Yield what keeps the capability from being read, and a second one."""
    found = read_capability(analysis)
    if isinstance(found, NoCapability):
        rule = NO_CAPABILITY if found.place is None else CAPABILITY
        yield Finding(rule, analysis.name, found.message, found.hint, found.place, found.needs_cell)
    bound = [binding for binding in bindings(analysis) if binding.name == "capability"]
    if bound and (first := bound[0]).statement is not (last := bound[-1]).statement:
        message = f"capability is bound a second time, and this one counts (first in cell {first.cell.number}, "
        message += f"line {first.place.line})"
        yield Finding(SECOND_CAPABILITY, analysis.name, message, "keep one of them tagged", last.place)
