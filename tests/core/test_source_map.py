import pytest

from byoc_kit.core.source_map import CellSpan, SourceMap, locate, user_trace

MODULE = """\
def process_frame(frame):
    return helper(frame)

def helper(frame):
    return frame["missing"]
"""

SOURCE_MAP = SourceMap(
    "effects.ipynb", [CellSpan(cell=2, first_line=1, lines=2), CellSpan(cell=5, first_line=4, lines=2)]
)


def raised_in(file_name, frame):
    namespace = {}
    exec(compile(MODULE, file_name, "exec"), namespace)  # noqa: S102
    try:
        namespace["process_frame"](frame)
    except (KeyError, RuntimeError) as error:
        return error.__traceback__
    raise AssertionError("the module did not raise")


class Broken:
    def __getitem__(self, key):
        raise RuntimeError(key)


def test_a_line_of_the_module_is_named_by_its_cell():
    assert SOURCE_MAP.locate(1) == "effects.ipynb, cell 2, line 1"
    assert SOURCE_MAP.locate(2) == "effects.ipynb, cell 2, line 2"
    assert SOURCE_MAP.locate(4) == "effects.ipynb, cell 5, line 1"


def test_a_line_that_the_exporter_wrote_has_no_cell():
    assert [SOURCE_MAP.locate(line) for line in (0, 3, 6)] == [None, None, None]


def test_the_innermost_line_of_the_users_file_is_named():
    assert locate(raised_in("/srv/app/model.py", {}), "/srv/app/model.py") == "model.py, line 5"


def test_code_below_the_users_own_is_passed_over():
    assert locate(raised_in("/srv/app/model.py", Broken()), "/srv/app/model.py") == "model.py, line 5"


def test_an_exported_module_is_named_by_its_notebook():
    trace = raised_in("/srv/app/model.py", {})
    assert locate(trace, "/srv/app/model.py", SOURCE_MAP) == "effects.ipynb, cell 5, line 2"


def test_a_line_outside_every_cell_is_named_by_the_file():
    trace = raised_in("/srv/app/model.py", {})
    assert locate(trace, "/srv/app/model.py", SourceMap("effects.ipynb", [])) == "model.py, line 5"


def test_a_trace_without_the_users_file_names_the_file_alone():
    assert locate(raised_in("other.py", {}), "/srv/app/model.py", SOURCE_MAP) == "model.py"
    assert locate(None, "/srv/app/model.py") == "model.py"


def test_a_trace_shows_the_users_lines_alone(tmp_path):
    module = tmp_path / "processor.py"
    module.write_text("import json\n\ndef process_frame(frame):\n    return json.loads(frame)\n")
    namespace = {}
    exec(compile(module.read_text(), module, "exec"), namespace)  # noqa: S102
    with pytest.raises(ValueError, match="Expecting property name") as raised:
        namespace["process_frame"]("{broken")
    source_map = SourceMap("effects.ipynb", [CellSpan(cell=3, first_line=3, lines=2)])
    trace = raised.value.__traceback__.tb_next
    assert user_trace(trace, str(module), source_map) == (
        "effects.ipynb, cell 3, line 2, in process_frame\n    return json.loads(frame)"
    )
    assert user_trace(trace, "elsewhere.py").startswith("processor.py, line 4, in process_frame\n")
