"""``byoc-kit models``: check what announces containers to an orchestrator, and merge that of several bundles."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from byoc_kit.commands.arguments import BUNDLE, Commands

if TYPE_CHECKING:
    from byoc_kit.bundle.announce_fields import FileFinding


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("models", help="check or merge aiModels.json and runners.json, for an orchestrator")
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    check = actions.add_parser("check", help="say what go-livepeer would stop at, refuse or ignore")
    check.set_defaults(run=_check)
    check.add_argument("file", type=Path, help="an aiModels.json, a runners.json or a register.json")
    check.add_argument("--format", choices=["text", "json"], default="text", help="(default: %(default)s)")
    merge = actions.add_parser("merge", help="put the entries of bundles into a file, and leave the rest of it alone")
    merge.set_defaults(run=_merge)
    merge.add_argument(
        "file", type=Path, help="an aiModels.json or a runners.json; for a new file, its name decides which"
    )
    merge.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE", help=BUNDLE)


def _check(options: argparse.Namespace) -> int:
    from byoc_kit.bundle.announce_check import check_file

    findings = check_file(options.file)
    render = _as_json if options.format == "json" else _as_text
    sys.stdout.write(render(findings, options.file))
    return int(any(finding.is_error for finding in findings))


def _merge(options: argparse.Namespace) -> None:
    from byoc_kit.bundle.announce_merge import image_overrides, merge

    file: Path = options.file
    merged = merge(file, options.bundles)
    for one in merged:
        if one.lost:
            said = f"{one.name} had {', '.join(one.lost)}, which its bundle does not say"
            print(f"{said}; add it again if you need it", file=sys.stderr)
    done = [f"{'added' if one.is_new else 'replaced'} {one.name}" for one in merged]
    print(f"wrote {file}: {', '.join(done)}; next: byoc-kit models check {shlex.quote(str(file))}")
    if images := image_overrides(file):
        print(f"go-livepeer needs -aiRunnerImageOverrides {shlex.quote(json.dumps({'live': images}))}")


def _as_text(findings: Sequence[FileFinding], path: Path) -> str:
    """Return a line for each finding, as compilers write them, and a last one that counts them."""
    from byoc_kit.errors import printable
    from byoc_kit.notebook.findings import Severity

    name = printable(str(path))
    lines = [
        f"{name}:{one.line}:{one.column}: {one.severity}: {one.message}; {one.hint} [{one.code}]" for one in findings
    ]
    counts = Counter(finding.severity for finding in findings)
    said = [f"{counts[s]} {s}{'s' * (counts[s] > 1)}" for s in Severity if counts[s]]
    ending = "" if counts[Severity.ERROR] else "; go-livepeer reads it"
    return "\n".join([*lines, f"{name}: {', '.join(said) or 'no problems found'}{ending}"]) + "\n"


def _as_json(findings: Sequence[FileFinding], path: Path) -> str:
    """Return the findings for programs; the keys are stable."""
    found = [
        {
            "code": one.code,
            "severity": one.severity,
            "message": one.message,
            "hint": one.hint,
            "line": one.line,
            "column": one.column,
        }
        for one in findings
    ]
    content = {"file": str(path), "ok": not any(one.is_error for one in findings), "findings": found}
    return json.dumps(content, indent=2) + "\n"
