"""``capability = Capability(...)``, which the exporter reads without running the notebook."""

from __future__ import annotations

from collections.abc import Iterator

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.declarations import NoCapability, read_capability
from byoc_kit.notebook.findings import Finding, Rule, Severity

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


def check_capability(analysis: Analysis) -> Iterator[Finding]:
    """Yield what keeps the capability from being read."""
    found = read_capability(analysis)
    if isinstance(found, NoCapability):
        rule = NO_CAPABILITY if found.place is None else CAPABILITY
        yield Finding(rule, analysis.name, found.message, found.hint, found.place, found.needs_cell)
