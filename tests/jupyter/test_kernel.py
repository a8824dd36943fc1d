import pytest

from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.kernel import OpenByCell, UnknownNotebookError, find_notebook, this_notebook


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "a model.ipynb"
    path.write_text("{}")
    return path


def test_a_jupyter_server_says_it_in_the_environment(notebook):
    assert find_notebook({"JPY_SESSION_NAME": str(notebook)}, {}) == notebook


def test_visual_studio_code_says_it_in_the_namespace(notebook):
    stale = {"JPY_SESSION_NAME": "/old.ipynb"}
    assert find_notebook(stale, {"__vsc_ipynb_file__": str(notebook)}) == notebook


@pytest.mark.parametrize("environment", [{}, {"JPY_SESSION_NAME": ""}, {"JPY_SESSION_NAME": "/work/console-1"}])
def test_nothing_else_does(environment):
    with pytest.raises(UnknownNotebookError, match="nothing here tells which notebook this is; give its path"):
        find_notebook(environment, {})


def test_a_notebook_renamed_since_is_reported():
    with pytest.raises(
        UnknownNotebookError, match=r"started for /gone\.ipynb, which is not there any more; restart it"
    ):
        find_notebook({"JPY_SESSION_NAME": "/gone.ipynb"}, {})


def test_it_works_without_a_kernel(notebook, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook))
    assert this_notebook() == notebook


class Opened:
    def __init__(self):
        self.is_open = True

    def close(self):
        self.is_open = False


def test_a_cell_that_runs_again_closes_what_its_earlier_run_opened():
    opened, first, beside, other = OpenByCell(), Opened(), Opened(), Opened()
    for cell, run, one in (("a", "1", first), ("a", "1", beside), ("b", "2", other)):
        opened.close_earlier((cell, run))
        opened.add((cell, run), one)
    assert [one.is_open for one in (first, beside, other)] == [True] * 3
    opened.close_earlier(("a", "3"))
    assert [one.is_open for one in (first, beside, other)] == [False, False, True]


def test_what_a_run_opens_is_told_what_stood_in_its_place():
    opened, first, second = OpenByCell(), Opened(), Opened()
    opened.add(("a", "1"), first)
    opened.add(("a", "1"), second)
    opened.close_earlier(("a", "2"))
    assert opened.predecessor(("a", "2")) is first
    opened.add(("a", "2"), Opened())
    assert opened.predecessor(("a", "2")) is second
    opened.add(("a", "2"), Opened())
    assert opened.predecessor(("a", "2")) is None


def test_outside_a_kernel_the_answers_are_those_for_a_script():
    assert kernel.parent_message() == {}
    assert not kernel.has_front_end()
    assert kernel.cell() == ("", "")
    assert kernel.subshell_context() is None
    assert kernel.source_map(__file__) is None
    assert kernel.global_name(print) is None
    kernel.after_each_cell(print)()
