"""What holds of every notebook, however it was made: generated code, hostile text, files that are hardly JSON."""

import __future__

import copy
import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
from generated_notebooks import (
    CELLS_OF_NEEDS,
    EVIL,
    EVIL_PLACES,
    FILE_NAMES,
    FILES,
    HOSTILE_NOTEBOOKS,
    NEW_LINES,
    cells_that_run,
    document,
)
from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from nbconvert.exporters import get_exporter
from nbconvert.utils.exceptions import ConversionException
from notebook_rig import CAPABILITY, PROCESS_FRAME, check, plan_file

from byoc_kit.bundle.module_map import as_exported, render_map
from byoc_kit.bundle.plan import write
from byoc_kit.bundle.sync import edited_cells, sync
from byoc_kit.core.source_map import SourceMap
from byoc_kit.errors import ByocKitError
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import checked_module
from byoc_kit.notebook.fix import fix, missing_cells
from byoc_kit.notebook.imports import merge_imports
from byoc_kit.notebook.notebook_file import parse_notebook
from byoc_kit.notebook.report import as_github, as_json, as_text

pytestmark = pytest.mark.slow

SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much]}
FUTURES = [getattr(__future__, name).compiler_flag for name in __future__.all_feature_names]


def parsed(content, name="n.ipynb"):
    return parse_notebook(json.dumps(content).encode(), name=name)


def of_sources(sources):
    return document([("byoc", source) for source in sources])


def rendered(content):
    """Return a notebook and its module; what cannot be exported is no example."""
    notebook = parsed(content)
    try:
        return notebook, checked_module(Analysis(notebook))
    except ByocKitError:
        assume(False)


def said_by(use):
    """Return what an error of ours says, in lines; any other is a bug."""
    try:
        use()
    except (ByocKitError, ConversionException) as error:
        lines = str(error).split("\n")
        assert all(line and line.isprintable() for line in lines)
        return lines
    return []


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Be in an empty folder, in which nothing may come to lie."""
    here = Path.cwd()
    cwd, work = tmp_path_factory.mktemp("cwd"), tmp_path_factory.mktemp("work")
    os.chdir(cwd)
    yield work
    os.chdir(here)
    assert os.listdir(cwd) == []


@settings(max_examples=250, **SLOW)
@given(raw=FILES, name=st.sampled_from(FILE_NAMES))
def test_whatever_the_file_is_errors_are_one_readable_line(folder, raw, name):
    path = folder / name
    path.write_bytes(raw)
    assert len(said_by(lambda: check(parse_notebook(raw, name=name)))) <= 1
    assert len(said_by(lambda: fix(path))) <= 1
    said_by(lambda: get_exporter("byoc")().from_filename(str(path)))
    assert files_below(folder) == [name]
    path.unlink()


@settings(max_examples=250, **SLOW)
@given(cells=HOSTILE_NOTEBOOKS, name=st.sampled_from(FILE_NAMES))
def test_findings_stand_in_their_cells_and_reports_are_readable(cells, name):
    notebook = parsed(document(cells), name)
    findings = check(notebook)
    for finding in findings:
        event(finding.code)
        assert str(finding).isprintable()
        place = finding.place
        if place is None or place.line is None:
            continue
        assert 1 <= place.line <= len(place.cell.lines)
        behind = len(place.cell.lines[place.line - 1]) + 1
        column = place.column or 1
        assert 1 <= column <= (place.end_column or column) <= behind
    for text in (as_text(findings, name), as_github(findings, name), as_json(findings, name)):
        assert all(line.isprintable() for line in text.split("\n"))
    assert json.loads(as_json(findings, name))["ok"] is not any(finding.is_error for finding in findings)


@settings(max_examples=150, **SLOW)
@given(cells=HOSTILE_NOTEBOOKS)
def test_what_is_exported_compiles_and_each_line_leads_back(cells):
    notebook, module = rendered(document(cells))
    compile(module.source.encode(), "processor.py", "exec", dont_inherit=True)
    lines = module.source.split("\n")
    source_map = SourceMap(notebook.name, module.spans)
    for line, (cell, number) in module.origins.items():
        assert source_map.locate(line) == f"n.ipynb, cell {cell.number}, line {number}"
        is_import = line < module.imports[0] + module.imports[1]
        assert "import" in cell.lines[number - 1] if is_import else lines[line - 1] == cell.lines[number - 1]
    json.loads(render_map(notebook, module))


class Shell:
    """Runs cells as IPython does: its own transformation, flags of ``__future__`` that stay, magics that do nothing."""

    def __init__(self, namespace):
        self.namespace, self.flags = namespace, 0
        namespace["get_ipython"] = lambda: self

    def run_cell(self, source):
        source = TransformerManager().transform_cell(source)
        code = compile(source, "<cell>", "exec", flags=self.flags, dont_inherit=True)
        self.flags |= code.co_flags & sum(FUTURES)
        exec(code, self.namespace)  # noqa: S102

    def run_line_magic(self, name, line):
        """Do nothing."""

    def run_cell_magic(self, name, line, body):
        self.run_cell(body)


def public(namespace):
    """Return what a namespace has, so that two runs can be compared."""
    own = {"byoc_kit", "Processor", "get_ipython"}
    return {name: described(value) for name, value in namespace.items() if name not in own and name[:2] != "__"}


def described(value):
    if isinstance(value, types.FunctionType | type):
        return type(value), value.__qualname__
    return value.__name__ if isinstance(value, types.ModuleType) else (type(value), repr(value).split(" at 0x")[0])


@settings(max_examples=250, **SLOW)
@given(sources=cells_that_run())
@example(sources=["a = max(1, 2)\nfrom math import gcd as max", CAPABILITY, PROCESS_FRAME])
@example(sources=["a = 1; \\\nimport os\nb = 2", CAPABILITY, PROCESS_FRAME])
@example(sources=["def f():\n    global os\n    os = 1\na = f()\nimport os", CAPABILITY, PROCESS_FRAME])
def test_the_module_has_what_the_notebook_has(sources):
    _, module = rendered(of_sources(sources))
    cell_by_cell, at_once = {"__name__": "n"}, {"__name__": "n"}
    shell = Shell(cell_by_cell)
    try:
        for source in sources:
            shell.run_cell(source)
    except Exception:  # noqa: BLE001  # what does not run in the notebook need not run in the module
        assume(False)
    exec(compile(module.source.encode(), "processor.py", "exec", dont_inherit=True), at_once)  # noqa: S102
    assert public(at_once) == public(cell_by_cell)


@pytest.mark.parametrize("place", EVIL_PLACES)
def test_nothing_of_a_notebook_runs(folder, place):
    sources = ["import byoc_kit\nfrom typing import Annotated\nfrom pydantic import Field, field_validator"]
    sources += [place.replace("EVIL", EVIL), CAPABILITY, "def process_frame(frame, params: Params): return frame"]
    path = folder / "evil.ipynb"
    cells = [("byoc", source) for source in sources] + [("", EVIL), ("", f"Params = {EVIL}")]
    path.write_text(json.dumps(document(cells)))
    notebook = parse_notebook(path.read_bytes(), name=path.name)
    said_by(lambda: check(notebook))
    said_by(lambda: fix(path))
    said_by(lambda: write(plan_file(path, folder / "evil")))
    assert "BYOC_KIT_RAN" not in os.environ


@pytest.mark.parametrize("name", FILE_NAMES)
def test_an_export_writes_below_its_folder_only(folder, name):
    above = folder / "names"
    above.mkdir(exist_ok=True)
    path, target = above / name, above / "bundle"
    path.write_text(json.dumps(document([("markdown", f"# {name} {{{{ x }}}} {{% y %}} ]]>"), *SOUND])))
    bundle = plan_file(path, target)
    write(bundle)
    assert {file.split("/")[0] for file in files_below(above)} == {name, "bundle"}
    assert (target / "processor.py").read_bytes() == bundle.files["processor.py"]
    assert plan_file(path, target).files == bundle.files
    compile(bundle.files["processor.py"], "processor.py", "exec")
    assert sync(target).cells == []
    path.unlink()


SOUND = ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)
RENDER = """
import sys
from byoc_kit.bundle.module_map import render_map
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook, checked_module
from byoc_kit.notebook.notebook_file import parse_notebook
from byoc_kit.notebook.report import as_json
for raw in sys.stdin.buffer:
    notebook = parse_notebook(raw, name="n.ipynb")
    print(as_json(check_notebook(Analysis(notebook)), "n.ipynb"))
    try:
        module = checked_module(Analysis(notebook))
        print(module.source, render_map(notebook, module))
    except Exception as error:
        print(error)
"""


@settings(max_examples=2, **SLOW)
@given(notebooks=st.lists(HOSTILE_NOTEBOOKS.map(document) | cells_that_run().map(of_sources), min_size=20, max_size=20))
def test_the_same_notebook_gives_the_same_bytes(notebooks):
    run = copy.deepcopy(notebooks)
    for content in run:
        for count, cell in enumerate(content["cells"]):
            cell |= {"outputs": [{"output_type": "stream", "text": [str(count)]}], "execution_count": count}
    said = set()
    for seed, contents in (("0", notebooks), ("1", run)):
        done = subprocess.run(
            [sys.executable, "-c", RENDER],
            input="".join(f"{json.dumps(content)}\n" for content in contents).encode(),
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        said.add(done.stdout)
    assert len(said) == 1


def count_moved(notebook):
    return sum(map(len, merge_imports(Analysis(notebook)).moved.values()))


def without_titles(module):
    """A module without what its markers call the cells, as by what they define first, which an edit may change."""
    return re.sub(r"^(# %% cell \d+) \(.*\)$", r"\1", module, flags=re.MULTILINE)


@settings(max_examples=120, **SLOW)
@given(sources=cells_that_run(), data=st.data())
def test_an_edit_of_a_part_comes_back_as_it_was_written(sources, data):
    content = of_sources(sources)
    notebook, module = rendered(content)
    lines = module.source.split("\n")
    section = data.draw(st.sampled_from(module.sections), label="section")
    begin, end = section.first_line - 1, section.first_line - 1 + len(section.kept)
    part = lines[begin:end]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(part)))
        part[at : at + data.draw(st.integers(0, 1))] = data.draw(st.sampled_from(NEW_LINES)).split("\n")
    assume("".join(part).strip() and part[0].strip() and part[-1].strip())
    edited = "\n".join([*lines[:begin], *part, *lines[end:]])
    try:
        compile(edited, "processor.py", "exec")
        changed = edited_cells(Analysis(notebook), as_exported(notebook, module), edited)
    except (SyntaxError, ByocKitError):
        assume(False)
    assert set(changed) <= {section.cell}
    for cell, source in changed.items():
        content["cells"][cell.number - 1]["source"] = source
    after, again = rendered(content)
    # What held an import back may be gone, so that it joins the others; and the module must import byoc_kit.
    assume(count_moved(after) <= count_moved(notebook) and again.imports[1] <= module.imports[1])
    assert without_titles(again.source) == without_titles(edited)


def test_sync_changes_the_edited_source_and_nothing_else(folder):
    content = document(
        [("markdown", "é \ud83d"), ("byoc", "# %%\nx = 'é'\r\ny = 1"), *SOUND], custom={"a": [1e-7, None]}
    )
    content["cells"][2] |= {"id": "a", "outputs": [{"text": ["1"]}], "source": CAPABILITY.splitlines(keepends=True)}
    path, target = folder / "synced.ipynb", folder / "synced"
    path.write_text(json.dumps(content, indent="\t").replace("\n", "\r\n"), newline="")
    before = path.read_bytes()
    write(plan_file(path, target))
    module = (target / "processor.py").read_text()
    (target / "processor.py").write_text(module.replace("y = 1", "y = 2\n# more"))
    assert [cell.number for cell in sync(target).cells] == [2]
    content["cells"][1]["source"] = "# %%\nx = 'é'\ny = 2\n# more"
    assert json.loads(path.read_bytes()) == content
    assert len(set(path.read_bytes().split(b"\r\n")) ^ set(before.split(b"\r\n"))) == 2
    assert (target / "processor.py").read_text() == module.replace("y = 1", "y = 2\n# more")


@settings(max_examples=60, **SLOW)
@given(needs=CELLS_OF_NEEDS, tagged=st.sets(st.integers(0, 7)))
def test_a_fix_tags_what_is_needed_and_nothing_else(folder, needs, tagged):
    cells = [("byoc" if at in tagged else "", f"def f{at}(): {used}") for at, used in enumerate(needs)]
    content = document([*cells, *SOUND])
    wanted, waiting = set(), sorted(tagged & set(range(len(needs))))
    while waiting:
        at = waiting.pop()
        new = {int(used[1:]) for used in needs[at].split(", ")} if needs[at] != "pass" else set()
        waiting += new - wanted - tagged
        wanted |= new - tagged
    path = folder / "fixed.ipynb"
    path.write_text(json.dumps(content))
    assert [cell.number for cell in fix(path).tagged] == [at + 1 for at in sorted(wanted)]
    for at in wanted:
        content["cells"][at]["metadata"]["tags"] = ["byoc"]
    assert json.loads(path.read_bytes()) == content
    assert fix(path).tagged == ()
    for at in wanted:
        less = copy.deepcopy(content)
        less["cells"][at]["metadata"]["tags"] = []
        assert {finding.code for finding in check(parsed(less))} == {"untagged-name"}
    path.unlink()


@settings(max_examples=100, **SLOW)
@given(cells=HOSTILE_NOTEBOOKS)
def test_a_fix_changes_only_tags_and_only_once(folder, cells):
    content = document([(kind if at % 2 else "", source) for at, (kind, source) in enumerate(cells)])
    path = folder / "hostile.ipynb"
    path.write_text(json.dumps(content))
    for number in [cell.number for cell in fix(path).tagged]:
        content["cells"][number - 1]["metadata"]["tags"] = ["byoc"]
    assert json.loads(path.read_bytes()) == content
    assert fix(path).tagged == ()
    path.unlink()


@pytest.fixture
def compiled(monkeypatch):
    """Count what is compiled."""
    sources = []

    def counting(source, *arguments, **options):
        sources.append(source)
        return compile(source, *arguments, **options)

    monkeypatch.setattr("byoc_kit.notebook.cell_source.compile", counting, raising=False)
    return sources


@pytest.mark.parametrize(
    "cell",
    [
        "import os\ndef f{0}(x):\n    return os.path.join(x, str({0}))\ny{0} = f{0}('')",
        "%matplotlib inline\nx{0} = 1",
        "x{0} = missing{0}",
    ],
)
def test_each_of_many_cells_is_parsed_once(compiled, cell):
    cells = [("byoc", cell.format(number)) for number in range(1000)]
    check(parsed(document([*cells, *SOUND])))
    assert len(compiled) <= 2 * len(cells) + 10  # a magic takes one more


def test_many_magics_of_a_cell_are_found_with_one_parse(compiled):
    check(parsed(of_sources(["%matplotlib inline\nx = 1\n" * 1000, CAPABILITY, PROCESS_FRAME])))
    assert len(compiled) < 10


def test_a_chain_of_untagged_cells_is_followed_with_one_parse_of_each(compiled):
    cells = [("", f"x{number} = x{number - 1}" if number else "x0 = 1") for number in range(1000)]
    notebook = parsed(document([*cells, ("byoc", "y = x999"), *SOUND]))
    assert missing_cells(Analysis(notebook)) == list(range(1, 1001))
    assert len(compiled) <= 2 * len(cells) + 20
