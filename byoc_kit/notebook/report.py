"""Findings as a compiler prints them, as JSON, and as annotations of a pull request."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from textwrap import fill, indent
from typing import Any

from byoc_kit.errors import printable
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.system.table import aligned

_WIDEST = 120
_TEXT_WIDTH = 80


def as_text(findings: Sequence[Finding], path: str) -> str:
    """Return each finding with the line it is about, and a last line that counts them."""
    return "\n\n".join([*(_described(finding, path) for finding in findings), summary(findings, path)]) + "\n"


def as_json(findings: Sequence[Finding], path: str) -> str:
    """Return the findings for programs; the keys are stable."""
    content = {"notebook": path, "ok": not any(f.is_error for f in findings), "findings": list(map(_values, findings))}
    return json.dumps(content, indent=2) + "\n"


def as_github(findings: Sequence[Finding], path: str) -> str:
    """Return workflow commands, which GitHub shows as annotations; a notebook's lines are not its file's."""
    kinds = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
    lines = []
    for finding in findings:
        title = ", ".join([finding.code, *_where(finding)])
        message = f"{finding.message}; {finding.hint}"
        place = f"file={_escaped(path, in_property=True)},title={_escaped(title, in_property=True)}"
        lines.append(f"::{kinds[finding.severity]} {place}::{_escaped(message)}\n")
    return "".join(lines)


def list_codes(rules: Iterable[Rule]) -> str:
    """Return all codes with what they are about, those that a comment lets pass with a star."""
    starred = {rule.code + " *" * rule.ignorable: rule for rule in rules}
    lines = aligned((code, rule.severity.value, rule.about) for code, rule in starred.items())
    return "\n".join([*lines, "", "* passes where its line ends with a comment, as `# byoc: ignore[secret]`\n"])


def as_sentence(about: str) -> str:
    """Return words as a sentence; one that begins with a name of the code keeps it as it is written."""
    is_name = "_" in about.split(maxsplit=1)[0]
    return f"{about if is_name else about[0].upper() + about[1:]}."


def explain(rule: Rule) -> str:
    """Return all that is to be said about a rule, for a terminal."""
    about = f"{as_sentence(rule.about)} {rule.why}"
    parts = [f"{rule.severity}[{rule.code}]", fill(about, _TEXT_WIDTH)]
    if rule.example:
        parts += [example_head(rule), indent(rule.example.rstrip(), "    ")]
    return "\n\n".join([*parts, *ways_out(rule)]) + "\n"


def example_head(rule: Rule) -> str:
    """Say what the lines of a rule's example are."""
    cells = "A cell below `# %% byoc` has the tag" if rule.example.startswith("# %%") else "A tagged cell"
    return f"Example. {cells}{', with ' + ', '.join(rule.files) + ' beside the notebook' if rule.files else ''}:"


def ways_out(rule: Rule) -> list[str]:
    """Return what can be done about a rule's findings without touching the code, one sentence each."""
    fix = ["`byoc-kit check --fix` tags the cell that is missing."] if rule.fixable else []
    ignore = [f"Where you know better, end the line with `# byoc: ignore[{rule.code}]`."] if rule.ignorable else []
    return fix + ignore


def summary(findings: Sequence[Finding], path: str) -> str:
    """Return how many findings of each severity there are."""
    counts = Counter(finding.severity for finding in findings)
    said = [f"{counts[s]} {s}{'s' * (counts[s] > 1)}" for s in Severity if counts[s]]
    ending = "" if counts[Severity.ERROR] else "; it can be exported"
    return f"{printable(path)}: {', '.join(said) or 'no problems found'}{ending}"


def _described(finding: Finding, path: str) -> str:
    lines = [f"{finding.severity}[{finding.code}]: {printable(finding.message)}"]
    where = ", ".join([printable(path), *_where(finding)])
    line, column = finding.line, finding.place and finding.place.column
    margin = " " * len(str(line or 1))
    lines.append(f"{margin}--> {where}")
    if finding.place and line and line <= len(finding.place.cell.text):
        text, carets = _excerpt(finding.place, finding.place.cell.text[line - 1])
        lines += [f"{margin} |", f"{line} | {text}".rstrip()]
        lines += [f"{margin} | {carets}"] if column else []
    lines.append(f"{margin} = {printable(finding.hint)}")
    return "\n".join(lines)


def _excerpt(place: Place, line: str) -> tuple[str, str]:
    """Return a line as a terminal may have it, cut where it is long, and the carets below it."""
    begin = (place.column or 1) - 1
    end = max((place.end_column or begin + 2) - 1, begin + 1)
    before, marked, after = (printable(part) for part in (line[:begin], line[begin:end], line[end:]))
    if len(before) + len(marked) + len(after) > _WIDEST:
        if len(before) > _WIDEST // 2:
            before = "... " + before[4 - _WIDEST // 2 :]
        marked = marked[: _WIDEST - len(before)]
        room = max(0, _WIDEST - len(before) - len(marked))
        after = after if len(after) <= room else f"{after[: max(0, room - 4)]} ..."
    return before + marked + after, " " * len(before) + "^" * max(1, len(marked))


def _where(finding: Finding) -> list[str]:
    if finding.place is None:
        return []
    parts = [finding.place.cell.label]
    parts += [f"line {finding.place.line}"] if finding.place.line else []
    parts += [f"column {finding.place.column}"] if finding.place.column else []
    return parts


def _values(finding: Finding) -> dict[str, Any]:
    place = finding.place
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "hint": finding.hint,
        "cell": finding.cell,
        "cell_id": place.cell.id if place else None,
        "line": finding.line,
        "column": place.column if place else None,
        "end_column": place.end_column if place else None,
    }


def _escaped(text: str, *, in_property: bool = False) -> str:
    replaced = {"%": "%25", "\r": "%0D", "\n": "%0A"} | ({":": "%3A", ",": "%2C"} if in_property else {})
    return "".join(replaced.get(c, c if c.isprintable() else "?") for c in text)
