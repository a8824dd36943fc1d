"""``docs/findings.md``, made of the rules and of what check says about their examples. To write it again:

python tests/findings_page.py
"""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent / "notebook"))

from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import RULES, check_notebook
from byoc_kit.notebook.findings import Severity
from byoc_kit.notebook.notebook_file import parse_notebook
from byoc_kit.notebook.report import as_sentence, as_text, example_head, ways_out

PAGE = Path(__file__).parents[1] / "docs" / "findings.md"
HEADS = {Severity.ERROR: "Errors", Severity.WARNING: "Warnings", Severity.NOTE: "Notes"}
HEAD = """\
# Findings

What `byoc-kit check` may say about a notebook: what it means, why it matters, and an example with what check says of
it. [Check a notebook](how-to/check.md) says how to read one. Errors stop the export. Warnings and notes are only said.

Codes are stable: scripts and comments may name them. `byoc-kit check --explain CODE` prints what stands here.
"""

NAMES = re.compile(r"(?<![\w.`])(process_frame|byoc_kit\.Params|asset\(\)|params|[Cc]apability(?= is no| with))(?!\w)")


def page():
    """Return the page's Markdown."""
    parts = [HEAD]
    for severity, head in HEADS.items():
        parts.append(f"## {head}\n")
        parts += [_entry(rule) for rule in RULES.values() if rule.severity is severity]
    return "\n".join(parts)


def _entry(rule):
    about = NAMES.sub(r"`\1`", rule.about)
    lines = [f"### {rule.code}\n", f"{as_sentence(about)} {rule.why}\n"]
    if rule.example:
        shown = as_text(findings_of(rule)[:1], "effects.ipynb").partition("\n\n")[0]
        lines += [f"{example_head(rule)}\n", f"```python\n{rule.example.rstrip()}\n```\n", f"```text\n{shown}\n```\n"]
    lines += [f"{sentence}\n" for sentence in ways_out(rule)]
    return "\n".join(lines)


def findings_of(rule):
    """Return what check says by a rule of its example, completed to a notebook that else has no error."""
    cells = example_cells(rule.example)
    is_tagged = any(kind for kind, _ in cells)
    cells += [("byoc", CAPABILITY)] if is_tagged and "Capability(" not in rule.example else []
    cells += [("byoc", PROCESS_FRAME)] if is_tagged and " process_frame" not in rule.example else []
    with TemporaryDirectory() as folder:
        for name in rule.files:
            (Path(folder) / name).touch()
        notebook = parse_notebook(notebook_json(*cells).encode(), name="effects.ipynb", folder=Path(folder))
        return [finding for finding in check_notebook(Analysis(notebook)) if finding.rule is rule]


def example_cells(example):
    """Return the (kind, source) pairs of an example's cells."""
    if not example.startswith("# %%"):
        return [("byoc", example.rstrip())]
    parts = re.split(r"^# %%(?: (byoc))?\n", example, flags=re.MULTILINE)[1:]
    return [(kind or "", source.strip()) for kind, source in zip(parts[::2], parts[1::2], strict=True)]


if __name__ == "__main__":
    PAGE.write_text(page())
