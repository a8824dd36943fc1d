"""Names of files that are passed to the notebook's own functions, and read there."""

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check

from byoc_kit.notebook.report import as_text

IMPORTS = "import cv2\nimport numpy as np\nimport torch\nfrom pathlib import Path\nfrom byoc_kit import asset\n"


def found(make, source):
    cells = [("byoc", IMPORTS), ("byoc", source), ("byoc", CAPABILITY)]
    if "def process_frame" not in source:
        cells.append(("byoc", PROCESS_FRAME))
    return [finding for finding in check(make(*cells)) if finding.code == "undeclared-file"]


def test_a_file_that_a_constructor_reads(make):
    [finding] = found(
        make, 'class Net:\n    def __init__(self, path):\n        self.w = torch.load(path)\nn = Net("n.pt")'
    )
    assert as_text([finding], "n.ipynb").startswith(
        """\
error[undeclared-file]: torch.load in Net reads n.pt, which the container will not have
 --> n.ipynb, cell 2 (Net), line 4, column 9
  |
4 | n = Net("n.pt")
  |         ^^^^^^
  = declare it: byoc_kit.asset("n.pt")
"""
    )


@pytest.mark.parametrize(
    ("source", "line", "name"),
    [
        ("def load(path):\n    return torch.load(path)\nm = load('n.pt')", 3, "n.pt"),
        ("def load(path):\n    with open(path) as f:\n        return f.read()\nm = load(path='n.txt')", 4, "n.txt"),
        ("def load(path='n.pt'):\n    return torch.load(path)\nload()", 1, "n.pt"),
        ("def load_model(path='n.pt'):\n    return torch.load(path)", 1, "n.pt"),
        ("def a(p): return b(1, p)\ndef b(x, y): return cv2.imread(str(y))\na('i.png')", 3, "i.png"),
        ("N = 'w.npy'\ndef a(p):\n    p = Path(p)\n    return np.load(p)\na(N)", 5, "w.npy"),
        ("def a(p):\n    return np.load(Path('d') / f'{p}.npy')\na('w')", 3, "d/w.npy"),
        ("def process_frame(frame):\n    return a('w.npy')\ndef a(p):\n    return np.load(p)", 2, "w.npy"),
        (
            "class C:\n    def __init__(self, p):\n        self.p = Path(p)\n"
            "    def load(self):\n        return np.load(self.p)\nC('w.npy').load()",
            6,
            "w.npy",
        ),
        (
            "from dataclasses import dataclass\n@dataclass\nclass C:\n    n: int\n    p: str\n"
            "    def load(self):\n        return np.load(self.p)\nC(1, 'w.npy')",
            8,
            "w.npy",
        ),
        (
            "class B:\n    def __init__(self, p): np.load(p)\n"
            "class D(B):\n    def __init__(self): super().__init__('w.npy')\nD()",
            4,
            "w.npy",
        ),
        ("class B:\n    def load(self, p): np.load(p)\nb = B()\nb.load('w.npy')", 4, "w.npy"),
        ("class B:\n    def a(self): self.b('w.npy')\n    def b(self, p): np.load(p)", 2, "w.npy"),
    ],
)
def test_a_name_is_followed_to_what_reads_it(make, source, line, name):
    [finding] = found(make, source)
    assert (finding.line, finding.hint) == (line, f'declare it: byoc_kit.asset("{name}")')


@pytest.mark.parametrize(
    "source",
    [
        "def load(path='n.pt'):\n    return torch.load(path)\nload(Path('x'[0]) if 1 else 2)",
        "def a(p):\n    p = fetched(p)\n    return np.load(p)\ndef fetched(p): return 1\na('w.npy')",
        "def a(p):\n    for p in [1]:\n        np.load(p)\na('w.npy')",
        "def a(p):\n    return (lambda p: np.load(p))(1)\na('w.npy')",
        "def save(p):\n    np.save(p, 1)\nsave('x.npy')\ny = np.load('x.npy')",
        "def a(p): return p\na('w.npy')",
        "def a(p): return np.load(p)\na(*['w.npy'])",
        "def a(p): return np.load(p)\nif 1:\n    def a(p): return p\na('w.npy')",
    ],
)
def test_what_may_be_another_file_is_not_said(make, source):
    assert found(make, source) == []


def test_functions_that_call_each_other_are_no_endless_question(make):
    source = "\n".join(
        f"def f{n}(p):\n    " + "; ".join(f"f{(n + 1) % 9}(p + {letter!r})" for letter in "abc") for n in range(9)
    )
    assert found(make, f"{source}\nf0('x')") == []
