"""``docs/findings.md``, made of the rules and of what they say about small notebooks. To write it anew:

python tests/findings_page.py
"""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent / "notebook"))

from notebook_rig import CAPABILITY, PROCESS_FRAME
from test_findings import GOLDEN, notebook_of

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook
from byoc_kit.notebook.findings import CODES, IGNORABLE, Severity
from byoc_kit.notebook.report import as_text

PAGE = Path(__file__).parents[1] / "docs" / "findings.md"
HEADS = {Severity.ERROR: "Errors", Severity.WARNING: "Warnings", Severity.NOTE: "Notes"}
HEAD = """\
# Findings

What `byoc-kit check` may say about a notebook, with an example of each. [Check a notebook](how-to/check.md) says how to
read one. Errors stop the export. Warnings and notes are only said.

Codes are stable: scripts and comments may name them.
"""

NAMES = re.compile(r"(?<![\w.`])(process_frame|byoc_kit\.Params|asset\(\)|params|[Cc]apability)(?!\w)")

# For the codes without a golden text of their own: the tagged cells, and the files beside the notebook.
PROCESS_WITH_PARAMS = "def process_frame(frame, params: Params):\n    return frame.tensor * params.gain"
EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "absolute-path": (['labels = open("/home/me/labels.txt").read()'], []),
    "asset-not-literal": (['import byoc_kit, os\n\nweights = byoc_kit.asset(os.environ["WEIGHTS"])'], []),
    "asset-path": (['import byoc_kit\n\nweights = byoc_kit.asset("../weights.safetensors")'], []),
    "file-beside": (['import cv2\n\nstars = cv2.utils.findFile("stars.png")'], ["stars.png"]),
    "missing-asset": (['import byoc_kit\n\nweights = byoc_kit.asset("weights.safetensors")'], []),
    "params-class": (
        ["from pydantic import BaseModel\n\nclass Params(BaseModel):\n    gain: float = 1.0", PROCESS_WITH_PARAMS],
        [],
    ),
    "params-default": (
        ["import byoc_kit\n\nclass Params(byoc_kit.Params):\n    gain: float", PROCESS_WITH_PARAMS],
        [],
    ),
    "params-schema": (
        [
            "import byoc_kit, os\n\nclass Params(byoc_kit.Params):\n    gain: float = os.cpu_count()",
            PROCESS_WITH_PARAMS,
        ],
        [],
    ),
    "pickle": (
        ['import byoc_kit, pickle\n\nwith open(byoc_kit.asset("m.pkl"), "rb") as f:\n    m = pickle.load(f)'],
        ["m.pkl"],
    ),
    "shadowed-module": (["import numpy as np\n\nzero = np.zeros(3)"], ["numpy.py"]),
    "undeclared-file": (['labels = open("labels.txt").read()'], ["labels.txt"]),
    "unknown-param": (
        [
            "import byoc_kit\n\nclass Params(byoc_kit.Params):\n    gain: float = 1.0",
            PROCESS_WITH_PARAMS.replace("params.gain", "params.gian"),
        ],
        [],
    ),
    "unused-ignore": (["x = 1  # byoc: ignore[secret]"], []),
}
# Needs two installed packages with a module of the same name.
WITHOUT_EXAMPLE = {"ambiguous-module"}


def page() -> str:
    """Return the page's Markdown."""
    parts = [HEAD]
    for severity, head in HEADS.items():
        parts.append(f"## {head}\n")
        parts += [_entry(code) for code in sorted(CODES) if CODES[code].severity is severity]
    return "\n".join(parts)


def _entry(code: str) -> str:
    about = NAMES.sub(r"`\1`", CODES[code].about)
    lines = [f"### {code}\n", f"{about[0].upper()}{about[1:]}.\n"]
    if code not in WITHOUT_EXAMPLE:
        lines.append(f"```text\n{example(code)}\n```\n")
    if code in IGNORABLE:
        lines.append(f"Where you know better, end the line with `# byoc: ignore[{code}]`.\n")
    return "\n".join(lines)


def example(code: str) -> str:
    """Return what the terminal shows of a code for its example."""
    if code in GOLDEN:
        cells, files = GOLDEN[code][0], []
    else:
        sources, files = EXAMPLES[code]
        has_hook = any("def process_frame" in source for source in sources)
        cells = [("byoc", one) for one in (CAPABILITY, *sources, *([] if has_hook else [PROCESS_FRAME]))]
    with TemporaryDirectory() as folder:
        for name in files:
            (Path(folder) / name).touch()
        findings = check_notebook(Analysis(notebook_of(cells, name="effects.ipynb", folder=Path(folder))))
    (first, *_) = [finding for finding in findings if finding.code == code]
    return as_text([first], "effects.ipynb").partition("\n\n")[0]


if __name__ == "__main__":
    PAGE.write_text(page())
