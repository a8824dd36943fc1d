from byoc_kit.sourcemap import CellSpan, SourceMap, locate

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
