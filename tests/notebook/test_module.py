import ast
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json

from byoc_kit.core.source_map import SourceMap
from byoc_kit.errors import ByocKitError
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import checked_module
from byoc_kit.notebook.notebook_file import NotebookError, parse_notebook

GREEN = '''\
"""Green.

Exported from effects.ipynb by byoc-kit; `byoc-kit sync` takes edits back to it.
"""

import byoc_kit
from byoc_kit import Capability

# %% cell 2 (capability)
capability = Capability(model_id="tint")


# %% cell 4 (process_frame)
def process_frame(frame):
    return frame  # \N{GREEN HEART}


# %%
class Processor(byoc_kit.FrameProcessor):
    """Green, as a pytrickle FrameProcessor."""

    hooks = byoc_kit.Hooks.of(process_frame)
'''


def hooks_line(module):
    return re.search(r"hooks = byoc_kit\.Hooks\.of\((.*?)\)\n$", module.source, re.DOTALL)[1]


def test_the_module_reads_as_a_person_wrote_it(make):
    cells = (
        ("markdown", "# Green"),
        ("byoc", CAPABILITY),
        ("", "x"),
        ("byoc", f"{PROCESS_FRAME}  # \N{GREEN HEART}\n\n"),
    )
    assert checked_module(Analysis(make(*cells))).source == GREEN


def test_cells_stay_as_they_are(make_sound):
    source = "\n\nx=1 ;y  = 'a'   \n\n# the end\n   \n"
    module = checked_module(Analysis(make_sound(source)))
    assert "# %% cell 1 (x)\nx=1 ;y  = 'a'   \n\n# the end\n\n\n# %% cell 2 (capability)\n" in module.source


def test_a_future_import_in_the_first_cell_compiles(make_sound):
    module = checked_module(Analysis(make_sound("# first\nfrom __future__ import annotations")))
    compile(module.source, "processor.py", "exec")


def test_a_future_import_below_a_cells_docstring_goes_to_the_top_and_the_docstring_stays(make_sound):
    module = checked_module(
        Analysis(make_sound('"""Mine."""\nfrom __future__ import annotations\nx: Later = 1\nclass Later: ...'))
    )
    namespace = {"__name__": "processor"}
    exec(compile(module.source, "processor.py", "exec", dont_inherit=True), namespace)  # noqa: S102  # it is sound
    assert namespace["__annotations__"] == {"x": "Later"}
    assert '"""\n\nfrom __future__ import annotations\n\nimport byoc_kit\n' in module.source
    assert '\n\n# %% cell 1 (Later)\n"""Mine."""\nx: Later = 1\n' in module.source
    at = module.source.split("\n").index("x: Later = 1") + 1
    assert SourceMap("effects.ipynb", module.spans).locate(at) == "effects.ipynb, cell 1, line 3"


def test_a_future_import_elsewhere_is_refused(make_sound):
    with pytest.raises(NotebookError, match=r"effects\.ipynb, cell 2, line 1: `from __future__`"):
        _ = checked_module(Analysis(make_sound("x = 1", "from __future__ import annotations")))


@pytest.mark.parametrize(
    ("title", "docstring"),
    [
        ('A "quoted" title', 'A "quoted" title.'),
        ('"quoted"', '"quoted".'),
        ("back\\slash \\", "back\\slash \\."),
        ('"""; import os; """""', '"""; import os; """"".'),
        ("{braces} %s \\N{DASH}", "{braces} %s \\N{DASH}."),
        ("Is it?", "Is it?"),
        ("\N{GREEN HEART} \u2028 Grün", "\N{GREEN HEART} Grün."),
    ],
)
def test_the_title_is_the_docstring_whatever_is_in_it(make, title, docstring):
    module = checked_module(Analysis(make(("markdown", f"# {title}"), ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME))))
    tree = ast.parse(module.source)
    assert ast.get_docstring(tree).splitlines()[0] == docstring
    assert [type(node).__name__ for node in tree.body if isinstance(node, ast.Expr | ast.ClassDef)] == [
        "Expr",
        "ClassDef",
    ]


def test_a_hostile_file_name_stays_in_its_comment(make):
    cells = ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)
    module = checked_module(Analysis(make(*cells, name='a\nimport os\n"""\\.ipynb')))
    assert "os" not in [
        alias.name for n in ast.walk(ast.parse(module.source)) if isinstance(n, ast.Import) for alias in n.names
    ]


@pytest.mark.parametrize(
    "source",
    [
        "def load_model(): ...",
        "async def load_model(): ...",
        "load_model = print",
        "from os import fspath as load_model",
        "import os as load_model",
        "if 1:\n    def load_model(): ...",
        "load_model: object = print",
    ],
)
def test_a_hook_may_come_by_any_statement(make_sound, source):
    assert hooks_line(checked_module(Analysis(make_sound(source)))) == "process_frame, load_model=load_model"


def test_a_name_within_a_function_is_no_hook(make_sound):
    assert hooks_line(checked_module(Analysis(make_sound("def f():\n    def load_model(): ...")))) == "process_frame"


def test_many_hooks_are_one_a_line(make_sound):
    names = ["load_model", "on_stream_start", "on_stream_stop"]
    source = "\n".join(f"{name} = print" for name in names)
    expected = "        process_frame,\n" + "".join(f"        {name}={name},\n" for name in names)
    assert hooks_line(checked_module(Analysis(make_sound(source)))) == f"\n{expected}    "


@pytest.mark.parametrize(
    ("source", "is_added"),
    [
        ("import byoc_kit", False),
        ("import byoc_kit.core.frames", False),
        ("import byoc_kit as bk", True),
        ("from byoc_kit import Params", True),
        ("if 1:\n    import byoc_kit", True),
    ],
)
def test_byoc_kit_is_imported_where_no_cell_does(make_sound, source, is_added):
    module = checked_module(Analysis(make_sound(source)))
    assert ('"""\n\nimport byoc_kit\n' in module.source) is is_added or not is_added
    namespace = {}
    exec(module.source, namespace)  # noqa: S102
    assert "Processor" in namespace


def test_the_source_map_leads_back_to_the_cell(make):
    cells = ("markdown", "# T"), ("byoc", f"\n{CAPABILITY}\n\n"), ("byoc", "s = '\u2028\x0c'"), ("byoc", PROCESS_FRAME)
    module = checked_module(Analysis(make(*cells)))
    lines = module.source.split("\n")
    source_map = SourceMap("effects.ipynb", module.spans)
    assert source_map.locate(lines.index("def process_frame(frame):") + 1) == "effects.ipynb, cell 4, line 1"
    assert source_map.locate(lines.index("s = '\u2028\x0c'") + 1) == "effects.ipynb, cell 3, line 1"
    assert source_map.locate(lines.index("from byoc_kit import Capability") + 1) == "effects.ipynb, cell 2, line 2"


TITLES = st.text() | st.text(alphabet="\"'\\\n\r{}%#N \u2028\x00\ud800")
STATEMENTS = st.sampled_from(
    [
        "x = 1",
        "from __future__ import annotations",
        '"""doc"""',
        "s = '''\n%time\n\n'''",
        "y = 2 \\\n",
        "# a comment \\",
        "global x",
        "s = 'a\u2028b\x0c'",
        "\x0cz = 3",
        "def f():\n\treturn 1\n\n   ",
        "@staticmethod\ndef g(): ...",
        "import byoc_kit",
        "r = '\\'",
        "x: int",
    ]
)
SOURCES = st.lists(STATEMENTS | st.text(max_size=6), min_size=1, max_size=3).map("\n".join)


@settings(deadline=None, max_examples=200)
@given(title=TITLES, sources=st.lists(SOURCES, max_size=3))
def test_whatever_is_exported_compiles_and_leads_back(title, sources):
    sources = [*sources, CAPABILITY, PROCESS_FRAME]
    raw = notebook_json(("markdown", f"# {title}"), *(("byoc", source) for source in sources)).encode()
    notebook = parse_notebook(raw, name="effects.ipynb")
    try:
        module = checked_module(Analysis(notebook))
    except ByocKitError:
        assume(False)
    compile(module.source.encode(), "processor.py", "exec")
    lines = module.source.split("\n")
    for section in module.sections:
        assert lines[section.first_line - 2] == f"# %% {section.cell.label}"
        kept = [section.cell.lines[number - 1] for number in section.kept]
        assert lines[section.first_line - 1 :][: len(kept)] == kept
    source_map = SourceMap(notebook.name, module.spans)
    for line, (cell, cell_line) in module.origins.items():
        assert source_map.locate(line) == f"effects.ipynb, cell {cell.number}, line {cell_line}"
