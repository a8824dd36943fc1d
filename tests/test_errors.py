import zlib

import pytest
from IPython.core.interactiveshell import InteractiveShell

from byoc_kit.errors import LONGEST_TEXT, in_one_line, name_of, one_line, printable, text_of


@pytest.fixture
def shell():
    shell = InteractiveShell.instance()
    yield shell
    InteractiveShell.clear_instance()


def test_a_notebook_shows_its_own_line_and_the_sentence(shell, capsys):
    cell = "import byoc_kit.jupyter.preview\nbyoc_kit.preview(lambda frame: frame, 'nowhere.mp4')"
    assert not shell.run_cell(cell).success
    place, said = capsys.readouterr().out.strip().split("\n")
    assert place.endswith("In[1], line 2")
    assert said.startswith("MediaError: there is no clip nowhere.mp4; give the path of a video file")


def test_an_exception_whose_text_cannot_be_had_says_so():
    class MuteError(Exception):
        def __str__(self):
            raise KeyError

    assert text_of(MuteError()) == "(its text raises KeyError)"


def test_an_exception_that_is_called_error_is_named_with_its_module():
    assert name_of(zlib.error()) == "zlib.error"
    assert in_one_line(zlib.error("no stream")) == "zlib.error: no stream"
    assert name_of(ValueError()) == "ValueError"


def test_a_long_text_is_cut_and_says_so():
    assert text_of(ValueError("x" * LONGEST_TEXT)) == "x" * LONGEST_TEXT
    said = text_of(ValueError("x" * 5_000_000))
    assert said == "x" * LONGEST_TEXT + "... (5000000 characters)"
    assert in_one_line(ValueError("x" * 5_000_000)) == f"ValueError: {said}"


def test_what_a_terminal_would_obey_is_written_out():
    assert printable("a\tb\x1b[31m\u202e\n") == "a    b\\x1b[31m\\u202e\\n"
    assert printable("grün 锐化") == "grün 锐化"


def test_a_text_of_many_lines_becomes_one():
    assert one_line("  two\r\nlines\x1b of\ttext ") == "two lines of text"


def test_a_missing_attribute_is_named_with_the_one_that_was_meant():
    class Frame:
        tensor = _hidden = None

    def text(name):
        with pytest.raises(AttributeError) as caught:
            getattr(Frame(), name)
        return text_of(caught.value)

    assert text("tensr") == "'Frame' object has no attribute 'tensr'; did you mean tensor?"
    assert text("hidden") == "'Frame' object has no attribute 'hidden'"
    assert text("quite_another") == "'Frame' object has no attribute 'quite_another'"
    assert text_of(AttributeError("no name here")) == "no name here"
