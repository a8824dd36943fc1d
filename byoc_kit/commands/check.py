"""``byoc-kit check``: say what prevents a notebook's export."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from byoc_kit.commands.arguments import Commands
from byoc_kit.errors import ByocKitError, printable

if TYPE_CHECKING:
    from byoc_kit.notebook.findings import Finding


def check(notebook: Path | str) -> list[Finding]:
    """Return what is wrong with a notebook that is to be exported. Nothing of it is run.

    Parameters
    ----------
    notebook : Path or str
        An ``.ipynb`` with cells tagged ``byoc``.

    Returns
    -------
    list of Finding
        In the order of the notebook; each has a ``code``, a ``message``, a ``place`` and ``is_error``. The notebook
        can be exported if none of them is an error.

    Raises
    ------
    ByocKitError
        If the file does not exist, or is not a notebook.

    Examples
    --------
    >>> import byoc_kit
    >>> byoc_kit.check("notebooks/green_tint.ipynb")
    []
    """
    from byoc_kit.notebook.analysis import Analysis
    from byoc_kit.notebook.check import check_notebook
    from byoc_kit.notebook.notebook_file import read_notebook

    return check_notebook(Analysis(read_notebook(notebook)))


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("check", help="say what would keep a notebook from being exported")
    parser.set_defaults(run=_run)
    parser.add_argument("notebook", type=Path, nargs="?", help="an .ipynb")
    parser.add_argument("--format", choices=["text", "json", "github"], default="text", help="(default: %(default)s)")
    parser.add_argument("--fix", action="store_true", help="tag the cells that the tagged ones need, and show the diff")
    parser.add_argument("--codes", action="store_true", help="list all codes with what they are about")
    parser.add_argument("--explain", metavar="CODE", help="say what a code is about, and why, with an example")


def _run(options: argparse.Namespace) -> int:
    from byoc_kit.notebook import report

    if options.codes or options.explain:
        _explain(options.explain)
        return 0
    if options.notebook is None:
        msg = "give the path of a notebook, or --codes, or --explain CODE"
        raise ByocKitError(msg)
    if options.fix:
        _fix(options.notebook)
    findings = check(options.notebook)
    render = {"text": report.as_text, "json": report.as_json, "github": report.as_github}[options.format]
    sys.stdout.write(render(findings, str(options.notebook)))
    is_bad = any(finding.is_error for finding in findings)
    if options.fix and is_bad:
        print("--fix sets tags and changes no code: fix the rest yourself", file=sys.stderr)
    return int(is_bad)


def _explain(code: str | None) -> None:
    """Print everything about one rule, or a line for each rule."""
    from byoc_kit.notebook import report
    from byoc_kit.notebook.check import RULES

    if code is None:
        sys.stdout.write(report.list_codes(RULES.values()))
    elif code in RULES:
        sys.stdout.write(report.explain(RULES[code]))
    else:
        near = difflib.get_close_matches(code, RULES, 1)
        hint = f"did you mean {near[0]}?" if near else "`byoc-kit check --codes` lists them"
        msg = f"there is no finding called {printable(code)}; {hint}"
        raise ByocKitError(msg)


def _fix(notebook: Path) -> None:
    from byoc_kit.notebook.fix import fix

    fixed = fix(notebook)
    sys.stderr.write(fixed.diff(str(notebook)))
    if fixed.tagged:
        print(f"tagged {', '.join(printable(cell.label) for cell in fixed.tagged)}", file=sys.stderr)
        warn_if_open(notebook)


def warn_if_open(notebook: Path) -> None:
    """Warn on stderr if a Jupyter server has the notebook open: its next save would undo a change."""
    from byoc_kit.notebook.open_in_jupyter import open_notebook_warning

    if warning := open_notebook_warning(notebook):
        print(warning, file=sys.stderr)
