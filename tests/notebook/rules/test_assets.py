import pytest
from declarations_rig import BESIDE, lines, said
from notebook_rig import notebook_json

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.notebook_file import parse_notebook
from byoc_kit.notebook.rules.assets import check_assets


@pytest.mark.parametrize(
    "call",
    [
        *("asset(f'{x}')", "asset(*names)", "asset(b'x')", "asset()", "asset(Path(NAME))"),
        *("asset(NAME * 2)", "asset(f'{NAME:>9}')", "asset(f'{NAME!r}')", "asset(NAME, NAME)"),
    ],
)
def test_asset_not_literal(call):
    assert said(check_assets, f"NAME = 'a'\ny = {call}") == [
        "effects.ipynb, cell 2, line 2: asset() is not given a literal, and the exporter does not run the notebook; "
        'write each file\'s own name: asset("weights.safetensors") [asset-not-literal]'
    ]


def test_asset_passed_on():
    assert said(check_assets, "paths = list(map(byoc_kit.asset, names))") == [
        "effects.ipynb, cell 2, line 1: asset is used without a name, and the exporter does not run the notebook; "
        'write each file\'s own name: asset("weights.safetensors") [asset-not-literal]'
    ]


def test_missing_asset(tmp_path):
    assert said(check_assets, "asset('größe.bin')", folder=tmp_path) == [
        "effects.ipynb, cell 2, line 1: asset größe.bin is not there; put it next to the notebook, or correct the name "
        "[missing-asset]"
    ]
    (tmp_path / "größe.bin").write_bytes(b"")
    assert said(check_assets, "asset('größe.bin')", folder=tmp_path) == []


@pytest.mark.parametrize(
    "writing",
    [
        "import numpy as np\nnp.save('w/lut.npy', x)",
        "from pathlib import Path\nW = Path('w')\n(W / 'lut.npy').write_bytes(b'')",
        "%matplotlib inline\nwith open('./w/lut.npy', 'wb') as f: ...",
        "from urllib.request import urlretrieve\nurlretrieve(URL, 'w/lut.npy')",
    ],
)
@pytest.mark.parametrize("kind", ["", "byoc"])
def test_a_missing_asset_that_a_cell_writes(tmp_path, kind, writing):
    cells = [("byoc", "import byoc_kit\nbyoc_kit.asset('w/lut.npy')"), ("", "open('w/lut.npy')"), (kind, writing)]
    notebook = parse_notebook(notebook_json(*cells).encode(), name="effects.ipynb", folder=tmp_path)
    assert [str(finding) for finding in check_assets(Analysis(notebook))] == [
        "effects.ipynb, cell 1, line 2: asset w/lut.npy is not there; run cell 3, which writes it [missing-asset]"
    ]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("", f"asset '' has no name; {BESIDE}"),
        ("/srv/a.bin", f"asset /srv/a.bin is an absolute path; {BESIDE}"),
        ("../a.bin", f"asset ../a.bin leads out of the notebook's folder; {BESIDE}"),
        ("a\x00\n", "asset 'a\\x00\\n' is not a valid file name; rename it"),
    ],
)
def test_asset_path_without_a_folder(name, wrong):
    assert said(check_assets, f"asset({name!r})") == [f"effects.ipynb, cell 2, line 1: {wrong} [asset-path]"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("folder", "asset folder is a folder; name each of its files that the model needs"),
        ("out", "asset out is a link that leads out of the notebook's folder; put the file itself there"),
    ],
)
def test_asset_path_in_a_folder(tmp_path, name, wrong):
    (tmp_path / "folder").mkdir()
    (tmp_path / "out").symlink_to("/etc/passwd")
    assert said(check_assets, f"asset({name!r})", folder=tmp_path) == [
        f"effects.ipynb, cell 2, line 1: {wrong} [asset-path]"
    ]


@pytest.mark.parametrize("name", ["https://host/a.bin", "hf://org/repo@v1", "hf://org/repo@v1/a.bin"])
def test_a_remote_asset_is_no_finding(tmp_path, name):
    assert said(check_assets, f"asset({name!r})", folder=tmp_path) == []


def test_asset_url(tmp_path):
    assert said(check_assets, "asset('s3://bucket/a.bin')", folder=tmp_path) == [
        "effects.ipynb, cell 2, line 1: asset s3://bucket/a.bin begins with s3://, which is not known; "
        "use https:// or hf:// [asset-url]"
    ]


def test_a_link_to_itself_is_a_missing_asset(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    assert lines(check_assets, "asset('loop')", folder=tmp_path) == [("missing-asset", 2, 1)]
