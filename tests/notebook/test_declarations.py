import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json

from byoc_kit.core.assets import AssetError
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook
from byoc_kit.notebook.declarations import assets_of, collect
from byoc_kit.notebook.notebook_file import NotebookError, parse_notebook
from byoc_kit.notebook.rules.assets import check_assets
from byoc_kit.notebook.rules.files import check_files
from byoc_kit.notebook.rules.loading import check_downloads, check_pickles

IMPORTS = """\
import io, json, os, pathlib, pickle
import av, cv2, joblib, onnxruntime, torch
import numpy as np
import pandas as pd
from pathlib import Path
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
import byoc_kit
from byoc_kit import asset
"""
BESIDE = "put the file next to the notebook, and name it relative to that folder"


def analysis(*sources, folder=None, imports=IMPORTS):
    cells = [("byoc", imports), *(("byoc", source) for source in sources)]
    return Analysis(parse_notebook(notebook_json(*cells).encode(), name="effects.ipynb", folder=folder))


def said(check, *sources, **options):
    return [str(finding) for finding in check(analysis(*sources, **options))]


def lines(check, *sources, **options):
    return [(finding.code, finding.cell, finding.line) for finding in check(analysis(*sources, **options))]


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


def test_a_link_to_itself_is_a_missing_asset(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    assert lines(check_assets, "asset('loop')", folder=tmp_path) == [("missing-asset", 2, 1)]


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


@pytest.mark.parametrize(
    ("source", "reader"),
    [
        ("open('lut.x')", "open"),
        ("json.load(open(file='lut.x', mode='rb'))", "open"),
        ("io.open('lut.x', 'r+')", "io.open"),
        ("Path('lut.x').read_text()", "Path.read_text"),
        ("pathlib.Path('lut.x').open('rb')", "Path.open"),
        ("LUT = Path('lut.x')\nLUT.read_bytes()", "Path.read_bytes"),
        ("LUT = 'lut' + '.x'\ndef f():\n    np.load(LUT)", "numpy.load"),
        ("np.loadtxt('lut.x'), np.genfromtxt(fname='lut.x')", "numpy.loadtxt"),
        ("torch.load(os.path.join('lut.x'), weights_only=True)", "torch.load"),
        ("torch.jit.load(f='lut.x')", "torch.jit.load"),
        ("cv2.imread('lut.x')", "cv2.imread"),
        ("cv2.VideoCapture('lut.x')", "cv2.VideoCapture"),
        ("Image.open('lut.x')", "PIL.Image.open"),
        ("load_file('lut.x')", "safetensors.torch.load_file"),
        ("with safe_open('lut.x', 'pt') as f: ...", "safetensors.safe_open"),
        ("av.open('lut.x')", "av.open"),
        ("pd.read_csv('lut.x')", "pandas.read_csv"),
        ("STEM = 'lut'\nopen(f'{STEM}.x')", "open"),
        ("STEM = Path('lut')\nopen(f'{STEM}.x')", "open"),
        ("onnxruntime.InferenceSession('lut.x')", "onnxruntime.InferenceSession"),
    ],
)
def test_undeclared_file(source, reader):
    assert said(check_files, source)[0].partition(": ")[2] == (
        f"{reader} reads lut.x, which the container will not have; "
        'declare it: byoc_kit.asset("lut.x") [undeclared-file]'
    )


@pytest.mark.parametrize(
    "source",
    [
        "open(asset('lut.x'))",
        "torch.load(byoc_kit.asset('lut.x'))",
        "open('log.txt', 'w'), open('log.txt', mode='a'), open('log.txt', 'xb')",
        "Path('log.txt').write_text('x'); Path('log.txt').read_text()",
        "torch.save(x, 'cache.x'); torch.load('cache.x')",
        "open('log.txt', mode)",
        "open('/proc/meminfo'), open('/dev/urandom', 'rb'), open('')",
        "pd.read_csv('https://example.com/lut.csv'), av.open('rtmp://example.com/live'), cv2.VideoCapture(0)",
        "open(name), open(f'{name}.x'), open(3), np.load(*names), open(**names)",
        "def open(name): ...\nopen('lut.x')",
        "def f(LUT):\n    open(LUT)\nLUT = 'lut.x'",
        "LUT = 'lut.x'\nLUT = name\nopen(LUT)",
        "LUT = 'lut.x'\n[open(LUT) for LUT in names]",
        "A0 = Path('a')\n" + "".join(f"A{n + 1} = A{n} / A{n}\n" for n in range(60)) + "open(A60)",
        "'lut.x'.open(), store.read_text('lut.x')",
    ],
)
def test_no_undeclared_file(source):
    assert said(check_files, source) == []


def test_a_missing_file_that_the_notebook_does_without_is_not_said(tmp_path):
    source = "try:\n    open('lut.x')\nexcept FileNotFoundError:\n    pass"
    assert said(check_files, source, folder=tmp_path) == []
    (tmp_path / "lut.x").write_text("x")
    assert lines(check_files, source, folder=tmp_path) == [("undeclared-file", 2, 2)]


@pytest.mark.parametrize(
    ("source", "is_said"),
    [
        ("if os.path.exists('lut.x'):\n    open('lut.x')", False),
        ("LUT = Path('lut.x')\nx = LUT.read_text() if LUT.is_file() else ''", False),
        ("if not os.path.isfile('lut.x'):\n    x = 1\nelse:\n    open('lut.x')", False),
        ("if not os.path.isfile('lut.x'):\n    open('lut.x')", True),
        ("if os.path.exists('lut.x'):\n    pass\nopen('lut.x')", True),
        ("if x:\n    open('lut.x')", True),
    ],
)
def test_a_missing_file_that_is_asked_for_first_is_not_said(tmp_path, source, is_said):
    assert [code for code, *_ in lines(check_files, source, folder=tmp_path)] == ["undeclared-file"] * is_said
    (tmp_path / "lut.x").write_text("x")
    assert [code for code, *_ in lines(check_files, source, folder=tmp_path)] == ["undeclared-file"]


def test_a_path_of_this_machine_that_is_there_is_reported_though_it_is_asked_for_first(tmp_path):
    source = f"if os.path.exists({str(tmp_path)!r}):\n    x = 1"
    assert lines(check_files, source) == [("absolute-path", 2, 1)]


@pytest.mark.parametrize(
    "path",
    [
        "/home/me/x.pt",
        "/Users/me/x",
        "/root/x",
        "/mnt/x",
        "/tmp/x",  # noqa: S108  # that is what is looked for
        "/content/x y.pt",
        "/data/x",
        "C:\\x",
        "~/x",
        "~me/x",
    ],
)
def test_absolute_path(path):
    assert said(check_files, f"x = 1\ny = {path!r}") == [
        f"effects.ipynb, cell 2, line 2: {path} is a path of this machine, which no container has; "
        'put the file beside the notebook and write byoc_kit.asset("its name") [absolute-path]'
    ]


@pytest.mark.parametrize(
    "source",
    ["f'/home/me/{x}'", "open('/home/me/x')", "Path('/home/me') / 'x'", "open('/opt/models/x')", "{'a': ['/home/me']}"],
)
def test_an_absolute_path_is_reported_once(source):
    assert lines(check_files, source.join(["y = ", ""])) == [("absolute-path", 2, 1)]


@pytest.mark.parametrize(
    "source",
    [
        "'''/home/me/x'''",
        "def f():\n    '/home/me/x'",
        "y = 'https://example.com/home/x', '/', '/home', '/home/', '/homely/x', 'a /tmp/x', 'http:/x'",
        "y = f'{x:/home/me}', f'{x}/home/me'",
        "y = x.startswith('/home/me')",
        "y = open('/tmp/log', 'w')",
        "import logging\nlogging.basicConfig(filename='/tmp/log')",
        "y = cv2.VideoWriter('/tmp/x.mp4', 0, 25, (8, 8))",
        "os.makedirs('/tmp/cache', exist_ok=True), Path('/tmp/more').mkdir()",
        "y = asset('/home/me/x')",
        "W = '/home/me/x'\ny = asset(W)",
        "y = '/home/me\\nis a path'[9:] and '~', 'C:'",
        "import re\ny = re.compile('/home/(x+)'), re.sub(r'/data/x', '', z)",
        r"y = r'/data/\d+', r't:\d+', '/home/[^/]*'",
        "y = app.get('/data/x'), session.post('/media/x')",
        "@app.route('/data/x')\ndef f(): ...",
        "y = x == '/data/x', '/data/x' in x, base + '/data/x'",
        "DATA_URL = '/data/x'\ny = f(route='/data/x')",
        "if os.path.exists('/content/none'): y = open('/content/none')",
        "W = '/content/none'\nif Path(W).is_file():\n    y = open(W)",
    ],
)
def test_no_absolute_path(source):
    assert [finding for finding in said(check_files, source) if "is a path" not in source] == []


@pytest.mark.parametrize(
    ("source", "is_fetched"),
    [
        ("from urllib.request import urlretrieve\nurlretrieve('https://example.com/w.bin', 'w.bin')", True),
        ("from transformers import AutoModel\nM = 'org/model'\nm = AutoModel.from_pretrained(M)", True),
        ("from transformers import AutoModel\nm = AutoModel.from_pretrained(find())", False),
        ("import torch\nm = torch.hub.load('repo', 'tiny', source='local')", False),
        ("import torch\nm = torch.hub.get_dir()", False),
    ],
)
def test_what_a_start_fetches_over_the_network(source, is_fetched):
    assert len(said(check_downloads, source)) == is_fetched


@pytest.mark.parametrize("ending", ["pt", "pth", "pkl", "pickle", "joblib", "ckpt", "PT"])
def test_pickle_by_name(ending):
    assert said(check_pickles, f"y = asset('w.{ending}')") == [
        f"effects.ipynb, cell 2, line 1: w.{ending} is a pickle by its name, and loading a pickle runs code that is in "
        "it; keep the weights as safetensors, if it is yours to choose [pickle]"
    ]


@pytest.mark.parametrize(
    "arguments", [", weights_only=False", ", weights_only=x", ", pickle_module=dill", ", **options"]
)
def test_pickle_in_torch_load(arguments):
    assert said(check_pickles, f"y = torch.load(asset('w.pt'){arguments})") == [
        "effects.ipynb, cell 2, line 1: torch.load: loading a pickle runs code that is in it; "
        "keep the weights as safetensors, or pass weights_only=True [pickle]"
    ]


@pytest.mark.parametrize("call", ["joblib.load(f)", "pickle.load(f)", "pd.read_pickle(f)", "pickle.loads(b)"])
def test_pickle_in_another_loader(call):
    assert lines(check_pickles, f"y = {call}") == [("pickle", 2, 1)]


def test_pickle_in_numpy_load():
    assert said(check_pickles, "y = np.load(asset('y.npy'), allow_pickle=True)") == [
        "effects.ipynb, cell 2, line 1: numpy.load: loading a pickle runs code that is in it; "
        "save it without objects in it, and leave allow_pickle out [pickle]"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(asset('w.pt'), weights_only=True)",
        "torch.load(asset('w.pt'))",
        "torch.load(asset('w.pt'), 'cpu', weights_only=None)",
        "def load(path):\n    return torch.load(path)\nload(asset('w.pt'))",
        "W = asset('w.pt')\ntorch.load(W, weights_only=True)",
        "torch.jit.load(asset('w.pt'))",
        "np.load(asset('y.npy')), np.load(asset('y.npz'), allow_pickle=False)",
        "load_file(asset('w.safetensors'))",
        "torch.save(x, 'w.pt')",
        "asset('.pt'), asset('pt')",
    ],
)
def test_no_pickle(source):
    assert said(check_pickles, source) == []


def test_file_next_to_the_notebook_that_a_library_is_given(tmp_path):
    (tmp_path / "w").mkdir()
    for name in ("best.pt", "w/net.xml", "lut"):
        (tmp_path / name).write_text("x")
    source = "W = 'w'\nx = cv2.Stitcher('best.pt'), av.codec(W + '/net.xml'), cv2.Stitcher(asset('best.pt'))"
    assert said(check_files, source, folder=tmp_path) == [
        "effects.ipynb, cell 2, line 2: cv2.Stitcher is given best.pt, a file beside the notebook that the container "
        'will not have; declare it: byoc_kit.asset("best.pt") [file-beside]',
        "effects.ipynb, cell 2, line 2: av.codec is given w/net.xml, a file beside the notebook that the container "
        'will not have; declare it: byoc_kit.asset("w/net.xml") [file-beside]',
    ]
    ignored = "cv2.Stitcher('best.pt')  # byoc: ignore[file-beside]"
    cells = [("byoc", IMPORTS), ("byoc", ignored), ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)]
    raw = notebook_json(*cells).encode()
    codes = [finding.code for finding in check_notebook(Analysis(parse_notebook(raw, name="n.ipynb", folder=tmp_path)))]
    assert {"file-beside", "unused-ignore"}.isdisjoint(codes)
    other = "print('best.pt'), os.path.exists('best.pt'), cv2.Stitcher('lut'), cv2.Stitcher('none.pt'), cv2.Stitcher(1)"
    assert said(check_files, other, folder=tmp_path) == []
    assert said(check_files, "cv2.imwrite('best.pt', 1), cv2.Stitcher('best.pt')", folder=tmp_path) == []
    assert said(check_files, source) == []


HOSTILE = [
    "y = asset('x' * 9)",
    f"y = asset({'a' * 100_000!r})",
    f"y = open({'a/' * 50_000!r})",
    f"y = '/home/{'a' * 100_000}'",
    "y = open('a\\x1b[2J\\u202e.txt')",
    "y = open('\\ud83d')",
    "y = " + " + ".join(["'a'"] * 90),
    "y = " + "open(" * 80 + "'x'" + ")" * 80,
    "y = open" + ".a" * 90 + "('x')",
    "a = b\nb = a\nopen(a)",
]


@pytest.mark.parametrize("source", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("check", [check_assets, check_files, check_pickles])
def test_whatever_stands_in_a_cell_findings_are_short_lines(check, source, tmp_path):
    for line in said(check, source, folder=tmp_path):
        assert len(line) < 400
        assert line.isprintable()


def test_nothing_is_run(tmp_path):
    trace = tmp_path / "trace"
    source = f"asset(str(open({str(trace)!r}, 'w')))"
    for check in (check_assets, check_files, check_pickles):
        list(check(analysis(source, CAPABILITY, PROCESS_FRAME, folder=tmp_path)))
    assert not trace.exists()
