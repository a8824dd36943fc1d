"""Files that tagged cells read, and which a container would not have."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from byoc_kit.errors import shown
from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.calls import Reference, calls
from byoc_kit.notebook.constants import literal_path, text_constants
from byoc_kit.notebook.declarations import assets_of
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity
from byoc_kit.notebook.names import handling
from byoc_kit.notebook.notebook_file import Cell
from byoc_kit.notebook.passed_texts import passed_calls

ABSOLUTE_PATH = Rule(
    code="absolute-path",
    severity=Severity.ERROR,
    about="a tagged cell reads a file by a path of this machine, which no container has",
    why="The container has a file system of its own. It has no home folder of yours, and no drive.",
    example='labels = open("/home/me/labels.txt").read()',
    ignorable=True,
)
UNDECLARED_FILE = Rule(
    code="undeclared-file",
    severity=Severity.ERROR,
    about="a tagged cell reads a file that is not a declared asset, so the container does not have it",
    why="The image has the module and the declared assets. It has no other file of the notebook's folder.",
    example='labels = open("labels.txt").read()',
    ignorable=True,
)
FILE_BESIDE = Rule(
    code="file-beside",
    severity=Severity.WARNING,
    about="a library is given the name of a file beside the notebook, which is not a declared asset",
    why="The call most likely reads the file. The image has only the declared assets.",
    example="""\
import cv2

stars = cv2.utils.findFile("stars.png")
""",
    ignorable=True,
    files=("stars.png",),
)

# What reads a file: the position and the name of the argument that says which.
_READERS = {
    "PIL.Image.open": (0, "fp"),
    "PIL.ImageFont.truetype": (0, "font"),
    "cv2.CascadeClassifier": (0, "filename"),
    "cv2.VideoCapture": (0, "filename"),
    "cv2.dnn.readNet": (0, "model"),
    "cv2.dnn.readNetFromONNX": (0, "onnxFile"),
    "cv2.imread": (0, "filename"),
    "h5py.File": (0, "name"),
    "imageio.imread": (0, "uri"),
    "imageio.v2.imread": (0, "uri"),
    "imageio.v3.imread": (0, "uri"),
    "joblib.load": (0, "filename"),
    "librosa.load": (0, "path"),
    "numpy.fromfile": (0, "file"),
    "numpy.genfromtxt": (0, "fname"),
    "numpy.load": (0, "file"),
    "numpy.loadtxt": (0, "fname"),
    "numpy.memmap": (0, "filename"),
    "onnx.load": (0, "f"),
    "onnxruntime.InferenceSession": (0, "path_or_bytes"),
    "safetensors.numpy.load_file": (0, "filename"),
    "safetensors.safe_open": (0, "filename"),
    "safetensors.torch.load_file": (0, "filename"),
    "safetensors.torch.load_model": (1, "filename"),
    "scipy.io.loadmat": (0, "file_name"),
    "scipy.io.wavfile.read": (0, "filename"),
    "skimage.io.imread": (0, "fname"),
    "soundfile.read": (0, "file"),
    "torch.jit.load": (0, "f"),
    "torch.load": (0, "f"),
    "torchaudio.load": (0, "uri"),
    "torchvision.io.read_image": (0, "path"),
    "torchvision.io.read_video": (0, "filename"),
    "zipfile.ZipFile": (0, "file"),
}
_PANDAS = re.compile(r"pandas\.read_(?:csv|excel|feather|fwf|hdf|json|orc|parquet|pickle|sas|spss|stata|table|xml)")
# What reads or writes, by its mode.
_OPENERS = {
    "av.open": (0, "file"),
    "builtins.open": (0, "file"),
    "bz2.open": (0, "filename"),
    "codecs.open": (0, "filename"),
    "gzip.open": (0, "filename"),
    "io.open": (0, "file"),
    "lzma.open": (0, "filename"),
    "tarfile.open": (0, "name"),
    "wave.open": (0, "f"),
}
_WRITERS = {
    "cv2.VideoWriter": (0, "filename"),
    "cv2.imwrite": (0, "filename"),
    "logging.FileHandler": (0, "filename"),
    "logging.basicConfig": (0, "filename"),
    "numpy.save": (0, "file"),
    "numpy.savez": (0, "file"),
    "numpy.savez_compressed": (0, "file"),
    "os.makedirs": (0, "name"),
    "os.mkdir": (0, "path"),
    "safetensors.torch.save_file": (1, "filename"),
    "torch.hub.download_url_to_file": (1, "dst"),
    "torch.save": (1, "f"),
    "urllib.request.urlretrieve": (1, "filename"),
    "wget.download": (1, "out"),
}
# The mode of each method; open's is an argument.
_PATH_METHODS = {
    "open": "",
    **dict.fromkeys(("read_bytes", "read_text"), "r"),
    **dict.fromkeys(("mkdir", "touch", "write_bytes", "write_text"), "w"),
}

# What these are given is not a file, or a table above has it.
_NO_READERS = {"builtins", "byoc_kit", "torch", "numpy", *sys.stdlib_module_names}

# URLs, and what every Linux machine has, a container too.
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:|/(?:dev|etc|proc|sys)/")
_OF_THIS_MACHINE = re.compile(
    r"/(?:content|data|home|kaggle|media|mnt|private|root|tmp|Users|Volumes|workspace)/[^\n\r]*[^\n\r/ ][^\n\r]*"
    r"|[A-Za-z]:[\\/][^\n\r]+"
    r"|~[\w.-]*/[^\n\r]+"
)
# What is asked for a URL or a route, and what a name says of a text that is one.
_ASKING = {"delete", "get", "head", "options", "patch", "post", "put", "route", "add_route", "urljoin", "websocket"}
_OF_URLS = re.compile(r"(?:^|_)(?:endpoint|pattern|regex|route|uri|url)s?$", re.IGNORECASE)
_OF_A_REGEX = re.compile(r"\\[dDsSwW](?![A-Za-z])|\(\?|\[\^")
_GUARDS = {"os.path.exists", "os.path.isfile", "os.path.isdir", "os.path.lexists"}
_PATH_GUARDS = {"exists", "is_dir", "is_file"}
_COMPARING = {
    *("count", "endswith", "find", "index", "lstrip", "partition", "removeprefix", "removesuffix", "replace"),
    *("rpartition", "rsplit", "rstrip", "split", "startswith", "strip"),
}


@dataclass(frozen=True, eq=False)
class FileUse:
    """A file that a call reads or writes, by a name that can be known without running it."""

    name: str
    reader: str
    node: ast.expr
    cell: Cell
    is_write: bool


@part
def file_uses(analysis: Analysis) -> list[FileUse]:
    """Return the files that calls in the tagged cells read or write, by names that may be passed from call to call."""
    uses = [use for call in calls(analysis) if (use := _file_use(call, text_constants(analysis)))]
    said = {id(use.node) for use in uses}
    for passed in passed_calls(analysis):
        use = _file_use(passed.call, passed.known)
        origin = passed.origin_of(use.node) if use else None
        if use and origin and id(origin.node) not in said:
            said.add(id(origin.node))
            uses.append(replace(use, reader=f"{use.reader} in {passed.label}", node=origin.node, cell=origin.cell))
    return uses


def writing_cell(analysis: Analysis, name: str) -> Cell | None:
    """Return the first cell of the notebook, tagged or not, that writes a file."""
    every = Analysis(analysis.notebook, [c for c in analysis.notebook.cells if c.is_code and _is_python(c)])
    uses = (_file_use(call, text_constants(every)) for call in calls(every))
    return next((use.cell for use in uses if use and use.is_write and _is_same(use.name, name)), None)


def _is_same(name: str, other: str) -> bool:
    return PurePosixPath(name) == PurePosixPath(other)


def _is_python(cell: Cell) -> bool:
    try:
        _ = cell.tree
    except SyntaxError:
        return False
    return True


def check_files(analysis: Analysis) -> Iterator[Finding]:
    """Yield the files that tagged cells read and no container has."""
    uses = file_uses(analysis)
    written = {use.name for use in uses if use.is_write}
    read = [use for use in uses if not use.is_write and use.name not in written]
    without_harm = _missing_without_harm(analysis)
    declared = {asset.name for asset in assets_of(analysis)}  # what is wrong with these is said of them
    guarded = {name for node in _guarding(analysis) for name in _guarded(analysis, node.test)}
    for cell, node, text in _machine_paths(analysis):
        if text in declared or (text in guarded and not _is_there(text)):
            continue
        if text not in written or not text.startswith("/tmp/"):  # noqa: S108  # a container has one to write to
            yield from _check_absolute_path(analysis, text, Place.of(cell, node))
    for use in read:
        if id(use.node) in without_harm and analysis.folder is not None and not _is_file(analysis.folder, use.name):
            continue  # the notebook does without it, too
        if not use.name.strip() or _ELSEWHERE.match(use.name) or _OF_THIS_MACHINE.match(use.name):
            continue
        place = Place.of(use.cell, use.node)
        if use.name.startswith("/"):
            yield from _check_absolute_path(analysis, use.name, place)
        else:
            message = f"{use.reader} reads {shown(use.name)}, which the container will not have"
            hint = f"declare it: byoc_kit.asset({_quoted(use.name)})"
            yield Finding(UNDECLARED_FILE, analysis.name, message, hint, place)
    yield from _check_other_calls(analysis, {id(use.node) for use in uses}, written)


def _missing_without_harm(analysis: Analysis) -> set[int]:
    """Return the nodes that stand where a missing file is handled, or where it was asked whether it is there."""
    blocks = (block for cell in analysis.cells for block in cell.nodes)
    handled = (statement for block in blocks for statement in handling(block, {"OSError", "FileNotFoundError"}))
    guarded = (part for node in _guarding(analysis) for part in _where_it_is_there(node))
    return {id(node) for part in (*handled, *guarded) for node in ast.walk(part)}


def _guarding(analysis: Analysis) -> Iterator[ast.If | ast.IfExp]:
    """Yield the conditions that ask whether a file is there."""
    asking = {id(call.call) for call in calls(analysis) if _guard(call) is not None}
    for cell in analysis.cells:
        for node in cell.nodes:
            if isinstance(node, ast.If | ast.IfExp) and any(id(part) in asking for part in ast.walk(node.test)):
                yield node


def _guard(call: Reference) -> ast.expr | None:
    """Return what a call asks about whether it is there; ``None`` for any other call."""
    if call.name in _GUARDS:
        return call.argument(0, "path")
    return call.node.value if isinstance(call.node, ast.Attribute) and call.node.attr in _PATH_GUARDS else None


def _guarded(analysis: Analysis, test: ast.expr) -> Iterator[str]:
    """Yield the files that a condition asks about."""
    parts = {id(part) for part in ast.walk(test)}
    for call in calls(analysis):
        node = _guard(call) if id(call.node) in parts else None
        name = None if node is None else literal_path(node, call.scope, text_constants(analysis))
        if name is not None:
            yield name


def _where_it_is_there(node: ast.If | ast.IfExp) -> Iterator[ast.AST]:
    """Yield what runs only where a condition found its file."""
    is_negated = isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not)
    then = node.orelse if is_negated else node.body
    yield from then if isinstance(then, list) else [then]


def _is_there(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # nothing can have such a name
        return False


def _check_other_calls(analysis: Analysis, said: set[int], written: set[str]) -> Iterator[Finding]:
    """Yield the files beside the notebook that libraries are given, and may read: ``YOLO("best.pt")``."""
    for call in calls(analysis):
        library = call.name.partition(".")[0]
        if analysis.folder is None or call.call is None or not library or library in _NO_READERS:
            continue
        for node in (*call.call.args, *(keyword.value for keyword in call.call.keywords)):
            name = literal_path(node, call.scope, text_constants(analysis))
            if name is None or id(node) in said or name in written or not _is_file(analysis.folder, name):
                continue
            message = f"{call.name} is given {shown(name)}, a file beside the notebook that the container will not have"
            hint = f"declare it: byoc_kit.asset({_quoted(name)})"
            yield Finding(FILE_BESIDE, analysis.name, message, hint, Place.of(call.cell, node))


def _is_file(folder: Path, name: str) -> bool:
    try:
        return not name.startswith("/") and bool(Path(name).suffix) and (folder / name).is_file()
    except (OSError, ValueError):  # no file can have such a name
        return False


def _file_use(call: Reference, constants: Mapping[str, str]) -> FileUse | None:
    reader = call.name.removeprefix("builtins.")
    mode: str | None = "r"
    if call.name in _WRITERS:
        node, mode = call.argument(*_WRITERS[call.name]), "w"
    elif call.name in _OPENERS:
        node, mode = call.argument(*_OPENERS[call.name]), _mode(call, 1)
    elif call.name in _READERS or _PANDAS.fullmatch(call.name):
        node = call.argument(*_READERS.get(call.name, (0, "")))
    elif isinstance(call.node, ast.Attribute) and call.node.attr in _PATH_METHODS:
        node, reader = call.node.value, f"Path.{call.node.attr}"
        mode = _PATH_METHODS[call.node.attr] or _mode(call, 0)
        if isinstance(node, ast.Constant):
            return None  # a text has no such method
    else:
        return None
    name = None if node is None else literal_path(node, call.scope, constants)
    if node is None or name is None or mode is None:
        return None
    return FileUse(name, reader, node, call.cell, is_write=bool(set("wax") & set(mode)))


def _mode(call: Reference, position: int) -> str | None:
    """Return the mode that a call opens a file in; ``None`` if only running would tell."""
    node = call.argument(position, "mode")
    if node is None:
        return "r"
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _machine_paths(analysis: Analysis) -> Iterator[tuple[Cell, ast.expr, str]]:
    """Yield the literals that name a place of this machine, and their text."""
    of_regexes = {
        id(argument)
        for call in calls(analysis)
        if call.call is not None and call.name.partition(".")[0] in {"re", "regex"}
        for argument in call.call.args
    }
    for cell in analysis.cells:
        nodes = cell.nodes
        passed_over = {id(part) for node in nodes for part in _not_a_path(node)} | of_regexes
        for node in nodes:
            text = _text(node)
            if not isinstance(node, ast.expr) or id(node) in passed_over or _OF_A_REGEX.search(text):
                continue
            if _OF_THIS_MACHINE.match(text):
                yield cell, node, text


def _text(node: ast.AST) -> str:
    """Return a literal's text, and of an f-string what it begins with."""
    match node:
        case ast.Constant(value=str(text)) | ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text
    return ""


def _not_a_path(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the literals in a node that are text about a path, or a part of one."""
    match node:
        case ast.Expr(value=value):
            yield value  # a docstring
        case ast.JoinedStr(values=values):
            yield from values
        case ast.FormattedValue(format_spec=ast.JoinedStr() as spec):
            yield spec
        case ast.Call(func=ast.Attribute(attr=method), args=args) if method in _COMPARING | _ASKING:
            yield from args
        case ast.Compare(left=left, comparators=others):
            yield from (left, *others)
        case ast.BinOp(op=ast.Add(), right=right):
            yield right
        case ast.keyword(arg=str(name), value=value) if _OF_URLS.search(name):
            yield value
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _OF_URLS.search(name):
            yield value


def _check_absolute_path(analysis: Analysis, text: str, place: Place) -> Iterator[Finding]:
    message = f"{shown(text)} is a path of this machine, which no container has"
    hint = 'put the file beside the notebook and write byoc_kit.asset("its name")'
    yield Finding(ABSOLUTE_PATH, analysis.name, message, hint, place)


def _quoted(name: str) -> str:
    return json.dumps(shown(name), ensure_ascii=False)
