import pytest
from declarations_rig import analysis, lines, said
from notebook_rig import notebook_json

from byoc_kit.errors import AssetError
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.declarations import assets_of, collect
from byoc_kit.notebook.notebook_file import NotebookError, parse_notebook
from byoc_kit.notebook.rules.assets import check_assets


@pytest.mark.parametrize(
    "source",
    [
        "asset('a.bin')",
        "byoc_kit.asset('a.bin')",
        "asset(name='a.bin')",
        "from byoc_kit import asset as a\na('a.bin')",
        "import byoc_kit as bk\nbk.asset('a.' 'bin')",
        "def load_model():\n    from byoc_kit.core.assets import asset as file\n    return file('a.bin')",
        "x = lambda: [asset('a.bin') for _ in '']",
        "class A:\n    path = asset('a.bin')",
    ],
)
def test_a_declared_file_is_found_whatever_the_import_calls_it(source):
    assert [use.name for use in assets_of(analysis(source))] == ["a.bin"]


@pytest.mark.parametrize(
    "source",
    [
        "def f(asset):\n    return asset('a.bin')",
        "def asset2(name): ...\nasset2('a.bin')",
        "def f():\n    asset = print\n    asset('a.bin')",
        "(lambda asset: asset('a.bin'))(print)",
        "player.asset('a.bin')",
    ],
)
def test_what_is_only_called_asset_is_none(source):
    assert assets_of(analysis(source)) == []
    assert said(check_assets, source) == []


def test_untagged_cells_declare_nothing():
    cells = notebook_json(("", "import byoc_kit\nbyoc_kit.asset('a.bin')"), ("byoc", "x = 1"))
    assert assets_of(Analysis(parse_notebook(cells.encode(), name="effects.ipynb"))) == []


@pytest.mark.parametrize(
    ("constants", "argument", "name"),
    [
        ("W = 'w.bin'", "W", "w.bin"),
        ("W: str = 'w.bin'", "name=W", "w.bin"),
        ("KIND = 'small'", "f'{KIND}.bin'", "small.bin"),
        ("KIND, X = 0, 0\nVERSION = 3\nW = f'v{VERSION}' + '.bin'", "W", "v3.bin"),
        ("FOLDER = 'models'\nW = FOLDER + '/w.bin'", "W", "models/w.bin"),
    ],
)
@pytest.mark.parametrize("use", ["y = asset({})", "def load_model():\n    return asset({})"])
def test_a_name_that_is_bound_once_stands_for_its_literal(constants, argument, name, use):
    found = analysis(constants, use.format(argument))
    assert [use.name for use in assets_of(found)] == [name]
    assert list(check_assets(found)) == []


@pytest.mark.parametrize(
    "source",
    [
        "W = 'a'\nW = 'b'\nasset(W)",
        "W = 'a'\nW += 'b'\nasset(W)",
        "if x:\n    W = 'a'\nasset(W)",
        "for W in 'ab':\n    asset(W)",
        "W = 'a'\ndel W\nasset(W)",
        "W = 'a'\ndef f():\n    global W\n    W = 'b'\nasset(W)",
        "W = 'a'\ndef f(W):\n    asset(W)",
        "W = 'a'\ndef f():\n    W = 'b'\n    asset(W)",
        "W = 'a'\n[asset(W) for W in 'bc']",
        "W = 'a'\nclass A:\n    W = 'b'\n    path = asset(W)",
        "W = 'a'\ntry: ...\nexcept OSError as W:\n    asset(W)",
        "W = 'a'\ndef f(x):\n    match x:\n        case [W]:\n            asset(W)",
        "W = V = 'a'\nasset(W)",
        "W = ['a']\nasset(W[0])",
        "from os import sep as W\nasset(W)",
        "A0 = 'aa'\n" + "".join(f"A{n + 1} = A{n} + A{n}\n" for n in range(60)) + "asset(A60)",
        "A0 = 'aa'\n" + "".join(f"A{n + 1} = f'{{A{n}}}{{A{n}}}'\n" for n in range(60)) + "asset(A60)",
    ],
)
def test_a_name_that_may_stand_for_something_else_does_not(source):
    assert [code for code, *_ in lines(check_assets, source)] == ["asset-not-literal"]


def test_collecting_sorts_and_names_each_file_once(tmp_path):
    for name in ("b.txt", "a.weird suffix"):
        (tmp_path / name).write_text("3")
    found = collect(analysis("asset('b.txt'), asset('./b.txt'), asset('a.weird suffix')", folder=tmp_path))
    sha256 = "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce"
    assert list(found) == ["a.weird suffix", "b.txt"]
    assert [(file.target, file.size) for file in found.values()] == [
        (f"assets/{sha256}", 1),
        (f"assets/{sha256}.txt", 1),
    ]


def test_collecting_needs_the_files_and_their_folder(tmp_path):
    with pytest.raises(NotebookError, match=r"nothing says where it lies; save it first"):
        collect(analysis("asset('b.txt')"))
    with pytest.raises(AssetError, match="is not there"):
        collect(analysis("asset('b.txt')", folder=tmp_path))
    assert collect(analysis("x = 1")) == {}
