import enum

import pytest

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.static_eval import NotStatic, static_of

HEAD = "import os\nfrom enum import Enum\nfrom pydantic import Field\nimport byoc_kit\n"


def class_of(make, source, name="Params"):
    return static_of(Analysis(make(("byoc", HEAD + source)))).class_named(name)


def test_a_class_of_literals_is_made_with_its_fields(make):
    fields = "    gain: float = Field(1.5, le=LIMIT)\n    name: str = 'a'"
    kind = class_of(make, f"LIMIT = 4\nclass Params(byoc_kit.Params):\n    'Doc.'\n{fields}")
    assert kind().model_dump() == {"gain": 1.5, "name": "a"}
    assert kind.__doc__ == "Doc."


def test_its_methods_are_left_out(make):
    kind = class_of(
        make, "class Params(byoc_kit.Params):\n    x: int = 1\n    def double(self): return os.system('true')"
    )
    assert not hasattr(kind, "double")


def test_an_enum_may_be_a_type_and_a_default(make):
    mode = "class Mode(Enum):\n    A = 'a'\n    B = 'b'\n"
    kind = class_of(make, f"{mode}class Params(byoc_kit.Params):\n    mode: Mode = Mode.B")
    assert kind().mode.value == "b"
    assert issubclass(class_of(make, mode, "Mode"), enum.Enum)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x: int = os.cpu_count()", r"^`os\.cpu_count` can be known only by running it$"),
        ("x: LATER = 1", "^`LATER` can be known only"),
        ("for x in []: pass", "can be known only"),
        ("def __get_pydantic_core_schema__(cls, *a): ...", "may change the schema"),
    ],
)
def test_what_only_running_would_tell_is_said_with_its_text(make, line, said):
    with pytest.raises(NotStatic, match=said):
        class_of(make, f"class Params(byoc_kit.Params):\n    {line}\nLATER = int")


def test_a_name_that_nothing_defines_is_an_error_of_the_caller(make):
    with pytest.raises(LookupError, match="nothing defines Nothing"):
        class_of(make, "x = 1", "Nothing")
