import pytest

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.constants import LONGEST, constants, text_constants


def analysis(make, *sources):
    return Analysis(make(*(("byoc", source) for source in sources)))


@pytest.mark.parametrize(
    ("source", "known"),
    [
        ("SIDE = 8\nGAIN: float = -1.5", {"SIDE": 8, "GAIN": -1.5}),
        ("NAME = 'tint'\nFILE = NAME + '.bin'", {"NAME": "tint", "FILE": "tint.bin"}),
        ("N = 2\nFILE = f'{N}.bin'", {"N": 2, "FILE": "2.bin"}),
        ("NAMES = ['a']", {}),  # which may be added to
        ("SIDE = 8\nSIDE = 9", {}),
        ("SIDE = 8\ndef f():\n    global SIDE\n    SIDE = 9", {}),
        ("SIDE = 8\ndel SIDE", {}),
        ("SIDE = 8\nsides = [SIDE for SIDE in 1, 2]", None),
        ("SIDE = len('a')", {}),
        ("TEXT = f'{1.5}'", {}),
    ],
)
def test_names_that_are_bound_to_one_plain_value_for_good(make, source, known):
    if known is None:
        source, known = source.replace("in 1, 2", "in (1, 2)"), {}
    assert constants(analysis(make, source)) == known


def test_a_value_of_an_earlier_cell_is_known(make):
    assert constants(analysis(make, "A = 'x'", "B = A + 'y'")) == {"A": "x", "B": "xy"}


def test_texts_that_double_end_somewhere(make):
    doubling = "T0 = 'aa'\n" + "\n".join(f"T{n + 1} = T{n} + T{n}" for n in range(30))
    assert max(len(text) for text in constants(analysis(make, doubling)).values()) <= LONGEST


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Path('models') / 'a.bin'", "models/a.bin"),
        ("os.path.join('models', 'a.bin')", "models/a.bin"),
        ("str(Path('a.bin'))", "a.bin"),
        ("Path('models', NAME)", "models/b.bin"),
        ("Path.home() / 'a.bin'", None),
        ("os.environ['X'] + 'a.bin'", None),
    ],
)
def test_paths_are_known_as_texts(make, value, text):
    source = f"import os\nfrom pathlib import Path\nNAME = 'b.bin'\nFILE = {value}"
    assert text_constants(analysis(make, source)).get("FILE") == text
