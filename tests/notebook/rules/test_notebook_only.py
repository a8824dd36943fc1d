import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check, said

TRIED = "try:\n    {}\nexcept {}:\n    shell = None"


@pytest.mark.parametrize(
    "source",
    [
        TRIED.format("shell = get_ipython()", "NameError"),
        TRIED.format("shell = get_ipython().__class__", "(AttributeError, NameError)"),
        TRIED.format("display(1)", "Exception"),
        "def shell():\n    try:\n        return get_ipython()\n    except:\n        return None",
        TRIED.format("from IPython import get_ipython\n    import ipywidgets", "ImportError"),
        TRIED.format("import google.colab", "ModuleNotFoundError"),
        "from contextlib import suppress\nwith suppress(NameError):\n    get_ipython().run_line_magic('time', '')",
        "if 'get_ipython' in globals():\n    def show(x):\n        display(x)",
        "if not 'get_ipython' in dir():\n    pass\nelse:\n    get_ipython()",
        "if 'get_ipython' not in vars():\n    pass\nelse:\n    get_ipython()",
        "import builtins\nif hasattr(builtins, '__IPYTHON__'):\n    get_ipython()",
        "import sys\nif 'google.colab' in sys.modules:\n    from google.colab import drive",
        "shell = get_ipython() if 'get_ipython' in globals() else None",
        "shell = 'get_ipython' in globals() and get_ipython()",
    ],
)
def test_what_only_a_notebook_has_may_be_asked_for(make_sound, source):
    assert said(make_sound(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        TRIED.format("shell = get_ipython()", "AttributeError"),
        TRIED.format("import IPython", "NameError"),
        "try:\n    pass\nexcept NameError:\n    get_ipython()",
        "try:\n    def show(x):\n        display(x)\nexcept NameError:\n    pass",
        "if 'get_ipython' not in globals():\n    get_ipython()",
        "if 'get_ipython' in globals():\n    pass\nelse:\n    get_ipython()",
        "if 'display' in {'a': 1}:\n    display(1)",
        "if 'numpy' in globals():\n    get_ipython()",
        "shell = get_ipython() if 'get_ipython' not in globals() else None",
        "shell = 'get_ipython' in globals() or get_ipython()",
    ],
)
def test_what_only_a_notebook_has_is_found_where_nothing_guards_it(make_sound, source):
    assert {finding.code for finding in check(make_sound(source))} == {"notebook-only"}


@pytest.mark.parametrize(
    "source",
    [
        "from tqdm.notebook import tqdm",
        "import tqdm.notebook",
        "from tqdm import tqdm_notebook",
        "from tqdm import notebook",
        "import tqdm\nfor i in tqdm.tqdm_notebook([1]): pass",
        "try:\n    from tqdm.notebook import tqdm\nexcept ImportError:\n    from tqdm import tqdm",
    ],
)
def test_progress_that_only_a_notebook_draws(make_sound, source):
    [text] = said(make_sound(source))
    assert "is for notebooks, and the container has none; write `from tqdm.auto import tqdm`, which prints" in text
    assert check(make_sound("from tqdm.auto import tqdm\nfrom tqdm import trange\ntqdm([]), trange(2)")) == []


def test_what_a_constant_switches_off_is_passed_over(make_sound):
    assert check(make_sound("import cv2\nDEBUG = False\ndef show(x):\n    if DEBUG:\n        cv2.imshow('x', x)")) == []


@pytest.mark.parametrize(
    ("source", "said_of_it"),
    [
        ("name = input('who? ')", "input() waits for somebody to type, and the container has nobody; make it a"),
        ("import getpass\ndef load_model():\n    getpass.getpass()", "getpass.getpass() waits for somebody to type"),
        ("import cv2\ndef show(x):\n    cv2.imshow('x', x)", "cv2.imshow needs a window, and the container has no"),
        ("import cv2\nDEBUG = True\nif DEBUG:\n    cv2.waitKey(1)", "cv2.waitKey needs a window"),
        ("import ipympl", "ipympl is for notebooks, and the container has none; move it to a cell"),
    ],
)
def test_what_waits_for_somebody_at_the_screen(make_sound, source, said_of_it):
    [text] = said(make_sound(source))
    assert said_of_it in text
    assert text.endswith("[notebook-only]")


@pytest.mark.parametrize(
    "source",
    [
        "def input(prompt): return 1\nx = input('who? ')",
        "if __name__ == '__main__':\n    input()",
        "if 'get_ipython' in globals():\n    input()",
    ],
)
def test_nobody_waits_there(make_sound, source):
    assert said(make_sound(source)) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import byoc_kit\nbyoc_kit.preview(print)", "byoc_kit.preview"),
        ("import byoc_kit as kit\ndef show(): return kit.ship()", "byoc_kit.ship"),
        ("from byoc_kit import ship", "byoc_kit.ship"),
        ("import byoc_kit.regress", "byoc_kit.regress"),
    ],
)
def test_parts_of_the_kit_that_are_for_notebooks(make_sound, source, name):
    [text] = said(make_sound(source))
    assert f"{name} is for notebooks, and the container has none; move it to a cell" in text


def test_the_preview_may_be_asked_for_where_a_notebook_is(make_sound):
    assert said(make_sound("import byoc_kit\nif 'get_ipython' in globals():\n    byoc_kit.preview(print)")) == []


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("import matplotlib.pyplot as plt\ndef process_frame(frame):\n    plt.show()\n    return frame", True),
        (
            "from matplotlib import pyplot\ndef process_frame(frame):\n    pyplot.show(block=False)\n    return frame",
            True,
        ),
        ("from PIL import Image\ndef process_frame(frame):\n    Image.fromarray(frame.pixels).show()", True),
        ("import matplotlib.pyplot as plt\ndef process_frame(frame):\n    plt.plot([1])\n    return frame", False),
        ("def show(): pass\ndef process_frame(frame):\n    show()\n    return frame", False),
        ("import matplotlib.pyplot as plt\nDEBUG = False\nif DEBUG:\n    plt.show()\n" + PROCESS_FRAME, False),
    ],
)
def test_a_figure_that_is_shown_where_nobody_looks(make, source, is_found):
    codes = [finding.code for finding in check(make(("byoc", CAPABILITY), ("byoc", source)))]
    assert codes.count("shown-figure") == is_found
