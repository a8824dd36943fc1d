import pytest
from declarations_rig import IMPORTS, analysis, lines, said
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook
from byoc_kit.notebook.notebook_file import parse_notebook
from byoc_kit.notebook.rules.assets import check_assets
from byoc_kit.notebook.rules.files import check_files
from byoc_kit.notebook.rules.loading import check_pickles


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
