import pytest

from byoc_kit.jupyter.this_notebook import UnknownNotebookError, find_notebook, this_notebook


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
