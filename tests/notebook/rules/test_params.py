import pytest
from notebook_rig import CAPABILITY, check, notebook_json
from params_rig import IMPORTS, PROCESS_FRAME, analysis, of_fields, said

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook
from byoc_kit.notebook.findings import Severity
from byoc_kit.notebook.notebook_file import parse_notebook
from byoc_kit.notebook.params_class import params_schema
from byoc_kit.notebook.rules.params import check_params

TINT = "class Tint(byoc_kit.Params):\n    'Doc.'\n    y: int = 3\n    z: int = 4"


HINT = "write literals, and of types int, float, bool, str, Literal, an Enum, and lists of them"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("gain: float = Field(1, le=top())", "top"),
        ("gain: float = 2 * 2", "2 * 2"),
        ("gain: float = unknown", "unknown"),
        ("gain: float = f'{1}'", "f'{1}'"),
        ("gain: np.ndarray", "np.ndarray"),
        ("gain: 'float['", "'float['"),
        ("gain: Literal[x]", "x"),
        ("gain: float = Field(**{})", "Field(**{})"),
        ("gain: float = Field(1, json_schema_extra=print)", "print"),
        ("exec('gain = 1')", "exec('gain = 1')"),
        ("for x in 'a': pass", "for x in 'a':"),
        ("class Config: title = 'x'", "Config"),
        ("model_config = ConfigDict(alias_generator=str.upper)", "str.upper"),
    ],
)
def test_params_schema(line, shown):
    number = IMPORTS.count("\n") + 4
    source = of_fields(line)
    assert said(source) == [
        f"effects.ipynb, cell 1, line {number}: `{shown}` can be known only by running it, "
        f"so the bundle has no schema of the parameters; {HINT} [params-schema]"
    ]
    assert params_schema(analysis(source)) is None


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (of_fields("x: int") + "\n" + of_fields("y: int"), "`Params` is bound a second time"),
        (f"from effects import Params\n{PROCESS_FRAME}", "`from effects import Params` can be known only by running"),
        (f"from effects import Base\nclass Params(Base): x: int\n{PROCESS_FRAME}", "`Base` can be known only by"),
        ("from effects import P\ndef process_frame(frame, params: P): ...", "`params: P` is of a class that is not in"),
        (f"import byoc_kit\nclass Params(make()): x: int\n{PROCESS_FRAME}", "`make()` can be known only by running"),
        (f"Params = make()\n{PROCESS_FRAME}", "`Params = make()` can be known only by running it"),
        (of_fields("x: float = 1e999"), "`Params` has no JSON schema (Out of range float values are not JSON"),
        (of_fields("x: list[int] = Field([], pattern='(')"), "`Params` cannot be made: "),
        (of_fields("x: int", "def x(self): ..."), "`x` has the name of a field"),
        (of_fields("@wrapped", "def x(self): ..."), "`wrapped` can be known only by running it"),
        (of_fields("def __get_pydantic_json_schema__(c, *_): return {}"), "schema__` may change the schema"),
        (of_fields("x: int", "@field_validator('x', mode='plain')", "def f(c, x): ..."), "` may change the schema"),
    ],
)
def test_params_schema_of_a_class(source, reason):
    [text] = said(source)
    assert reason in text
    assert text.endswith("[params-schema]")


@pytest.mark.parametrize(
    "source",
    [
        "class Params: x: int",
        "from pydantic import BaseModel\nclass Params(BaseModel): x: int = 1",
        "from dataclasses import dataclass\n@dataclass\nclass Params: x: int = 1",
        "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass Base: x: int = 1\nclass Params(Base): ...",
        "from typing import NamedTuple\nclass Params(NamedTuple): x: int = 1",
    ],
)
def test_a_class_of_another_kind_is_an_error(source):
    [text] = said(f"{source}\n{PROCESS_FRAME}")
    assert text.endswith("is not made from byoc_kit.Params; write class Params(byoc_kit.Params) [params-class]")


def test_an_import_below_the_class_of_its_name_is_reported():
    source = "from byoc_kit import Params\nclass Params(Params): x: int = 1\nfrom byoc_kit import Params"
    [text] = said(f"{source}\n{PROCESS_FRAME}")
    assert text.endswith("[params-schema]")


HOSTILE = [
    of_fields(f"x: int = 0x{10_000 * 'f'}"),
    of_fields("x: " + 60 * "list[" + "int" + 60 * "]"),
    of_fields("x: A40", before="A0 = int\n" + "\n".join(f"A{i + 1} = tuple[A{i}, A{i}]" for i in range(40))),
    of_fields("x: B", before="B = C\nC = B"),
    of_fields("x: A2000", before="A0 = int\n" + "\n".join(f"A{i + 1} = A{i}" for i in range(2000))),
    of_fields("x: Params", "y: 'Params'"),
    of_fields("x: int = 1", head="class Params(Params):"),
    of_fields(f"x: str = {'y' * 100_000!r}"),
    of_fields("x: str = '\\ud83d\\x1b[2J'", '"""\\x00"""'),
    of_fields("x: Literal[" + ", ".join(map(str, range(30_000))) + "]"),
    of_fields("x: str = Field('', pattern='(((')"),
    of_fields("int: int = 3", "y: int = 4"),
    of_fields("model_fields: int = 3", "copy: int = 4"),
    of_fields("x: int = Field(1, alias='\\x7f')"),
    of_fields("x: M", before="class M(Enum):\n    _ignore_ = ['A']\n    A = 1"),
    of_fields("x: M", before="class M(StrEnum):\n    A = 1"),
    "class Params(__import__('os').system('true')): ...\n" + PROCESS_FRAME,
    "process_frame = 3",
    "def process_frame(): ...",
    "def process_frame(*frames, **params): ...",
]


@pytest.mark.parametrize("source", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_stands_in_a_class_findings_are_short_lines(source):
    for text in said(source):
        assert len(text) < 600
        assert text.isprintable()


def test_nothing_is_run(tmp_path):
    trace = tmp_path / "trace"
    run = f"open({str(trace)!r}, 'w')"
    for line in (f"x: int = {run}", f"x: {run}", f"x: int = Field(default_factory=lambda: {run})", run):
        list(check_params(analysis(of_fields(line))))
    assert not trace.exists()


USE = "class Params(byoc_kit.Params):\n    gain: float = 1\n    tint_level: int = 2"


def uses(body, *, head="def process_frame(frame, params):", params=USE):
    rest = PROCESS_FRAME if "process_frame" not in head else "pass"
    return said(IMPORTS, params, f"{head}\n    {body}", rest)


@pytest.mark.parametrize("use", ["params['gain']", "params.get('gain')", "params.get('gain', 1.0)"])
def test_parameters_are_no_dictionary(use):
    assert uses(f"return frame * {use}") == [
        f"effects.ipynb, cell 3, line 2: {use}: the parameters are a Params, not a dictionary; "
        "write params.gain [unknown-param]"
    ]


def test_parameters_may_be_asked_as_the_class_says():
    assert uses("return params.get('gain')", params=f"{USE}\n    def get(self, name): return 1") == []


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("gain: float = Field(9, le=4)", "Input should be less than or equal to 4"),
        ("gain: float", "Field required"),
        ("gain: int = 'much'", "Input should be a valid integer, unable to parse string as an integer"),
    ],
)
def test_a_default_with_which_no_stream_can_start(field, reason):
    params = f"class Params(byoc_kit.Params):\n    before: int = 1\n    {field}"
    assert said(IMPORTS, params, PROCESS_FRAME) == [
        f"effects.ipynb, cell 2, line 3: no stream can start with the default of gain: {reason}; "
        "give the field a default that is allowed [params-default]"
    ]


def test_what_a_factory_makes_is_not_judged_and_the_other_defaults_are():
    made = "class Params(byoc_kit.Params):\n    gain: float = Field(default_factory=lambda: 1.4)"
    assert said(IMPORTS, made, PROCESS_FRAME) == []
    assert said(IMPORTS, made.replace("1.4", "1.4, alias='loudness'"), PROCESS_FRAME) == []
    [finding] = said(IMPORTS, f"{made}\n    steps: int", PROCESS_FRAME)
    assert finding.startswith("effects.ipynb, cell 2, line 3: no stream can start with the default of steps: ")


def test_a_default_that_a_validator_may_make_good_is_not_judged():
    params = (
        "class Params(byoc_kit.Params):\n    gain: float = Field(9, le=4)\n"
        "    @field_validator('gain', mode='before')\n    def halve(cls, value):\n        return value / 3"
    )
    assert said(IMPORTS, params, PROCESS_FRAME) == []


def test_a_parameter_may_have_any_name_but_the_one_of_them_all():
    assert said(of_fields("keep: float = 0.9", "width: float = 1.0", "height: int = 2")) == []
    for field in ("params: float = 0.9", "x: float = Field(0.9, alias='params')"):
        [text] = said(of_fields(field))
        assert text.endswith("all of them are sent under that name; rename the field [reserved-param]")


def test_unknown_param():
    assert uses("return frame * params.gian") == [
        "effects.ipynb, cell 3, line 2: params.gian: Params has no field gian; did you mean params.gain? "
        "[unknown-param]"
    ]


def test_unknown_param_that_is_like_no_other():
    assert uses("return params.x") == [
        "effects.ipynb, cell 3, line 2: params.x: Params has no field x; "
        "add it to the class, which has gain, tint_level [unknown-param]"
    ]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("async def process_frame(frame, *, params: Params):", "params"),
        ("def process_frame(frame, p: Params):", "p"),
        ("def process_audio(frame, params):", "params"),
        ("def process_audio(frame, mine: 'Params'):", "mine"),
        ("def on_stream_start(params):", "params"),
        ("def on_stream_start(settings):", "settings"),
    ],
)
def test_unknown_param_in_each_hook(head, name):
    assert uses(f"x = lambda: {name}.gian", head=head) == [
        f"effects.ipynb, cell 3, line 2: {name}.gian: Params has no field gian; did you mean {name}.gain? "
        "[unknown-param]"
    ]


@pytest.mark.parametrize("use", ["params.gain, params.size", 'params["gain"]', "helper(params)"])
def test_params_of_a_class_that_is_not_tagged(use):
    raw = notebook_json(("", USE), ("byoc", f"def process_frame(frame, params):\n    return {use}"))
    [finding] = check_params(Analysis(parse_notebook(raw.encode(), name="effects.ipynb")))
    assert str(finding) == (
        "effects.ipynb, cell 2, line 1: process_frame takes params, and Params is not in the tagged cells; "
        "cell 1 defines it; tag that cell `byoc` [untagged-name]"
    )
    assert (finding.place.column, finding.needs_cell) == (26, 1)


def test_unknown_param_where_there_is_no_class():
    [text] = said("def process_frame(frame, params):\n    return params.gain")
    assert text.endswith("write a class Params(byoc_kit.Params) with that field in a tagged cell [unknown-param]")


def test_unknown_param_where_process_frame_does_not_take_them():
    source = f"{USE}\ndef process_frame(frame): return frame\ndef process_audio(frame, params): return params.gain"
    assert [text.partition("; ")[2] for text in said(IMPORTS, source)] == [
        "write process_frame(frame, params: Params), which says what the parameters are [unknown-param]"
    ]


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ("return params.gain, params.tint_level, params.model_dump(), params.updated, params.__class__", USE),
        (
            "return params.level, params.LOW, params._x",
            f"{USE}\n    _x = 1\n    LOW: ClassVar = 3\n    def level(s): ...",
        ),
        ("return params.more", f"{USE}\n    model_config = ConfigDict(extra='allow')"),
        ("return params.more", f"{USE}\n    def __getattr__(self, name): ..."),
        ("return params.y, params.gain", f"{TINT}\nclass Params(Tint):\n    gain: int = 1"),
        ("params = other\n    return params.more", USE),
        ("return [params.more for params in frame]", USE),
        ("return (lambda params: params.more)(frame)", USE),
        ("return frame.gian, other.params.gian, params", USE),
    ],
)
def test_no_unknown_param(body, params):
    assert uses(body, params=params) == []


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("def process_frame(frame, params: Params):", "params"),
        ("def process_frame(frame, p: Params):", "p"),
        ("def process_audio(frame):", "params"),
        ("def on_stream_start(settings):", "settings"),
    ],
)
def test_a_field_is_not_read_from_the_class(head, name):
    assert uses("return lambda: Params.gain", head=head) == [
        f"effects.ipynb, cell 3, line 2: Params.gain is read from the class; write {name}.gain [unknown-param]"
    ]


def test_nor_by_a_function_that_a_hook_uses():
    helpers = "def half(x): return x * Params.gain\ndef unused(x): return x * Params.gain"
    assert uses("return half(frame), params", params=f"{USE}\n{helpers}") == [
        "effects.ipynb, cell 2, line 4: Params.gain is read from the class; write params.gain, and give half the "
        "parameters [unknown-param]"
    ]


@pytest.mark.parametrize(
    "body",
    ["return Params().gain, Params.LOW, Params.model_fields, mine.Params.gain", "return lambda Params: Params.gain"],
)
def test_what_the_class_has_may_be_read_from_it(body):
    assert uses(body, params=f"{USE}\n    LOW: ClassVar = 3") == []


def test_a_class_that_no_hook_takes():
    source = f"{USE}\ndef process_frame(image): return image * Params.gain"
    assert said(IMPORTS, source) == [
        "effects.ipynb, cell 2, line 4: Params has gain, tint_level, but process_frame takes no params: no control "
        "acts on them; write def process_frame(image, params: Params) [unused-params]",
        "effects.ipynb, cell 2, line 4: Params.gain is read from the class; write params.gain [unknown-param]",
    ]


@pytest.mark.parametrize(
    "source",
    [
        f"{USE}\ndef process_frame(frame): pass\ndef process_audio(frame, params): pass",
        f"{USE}\ndef process_frame(frame): pass\ndef on_stream_start(settings): pass",
        f"{USE}\ndef process_frame(frame, *rest): pass",
        "class Params(byoc_kit.Params): pass\ndef process_frame(frame): pass",
        "class Params: gain: float = 1.0\ndef process_frame(frame): pass",
        "from byoc_kit import Params\ndef process_frame(frame): pass",
    ],
)
def test_no_unused_params(source):
    assert said(IMPORTS, source) == []


@pytest.mark.parametrize(
    ("untagged", "head", "default"),
    [
        ("import byoc_kit", "byoc_kit.Params", "1.0"),
        ("from byoc_kit import Params as Base", "Base", "1.0"),
        ("GAIN = 1.0", "byoc_kit.Params", "2 * GAIN"),
    ],
)
def test_a_class_that_lacks_a_name_is_told_of_the_name_alone(untagged, head, default):
    imports = "" if "byoc_kit" in untagged else "import byoc_kit"
    class_ = f"{imports}\nclass Params({head}):\n    gain: float = {default}\ndef process_frame(frame, params): pass"
    cells = [("", untagged), ("byoc", class_), ("byoc", CAPABILITY)]
    found = check_notebook(Analysis(parse_notebook(notebook_json(*cells).encode(), name="effects.ipynb")))
    assert "untagged-name" in {finding.code for finding in found}
    assert "params-schema" not in {finding.code for finding in found}


def test_a_class_of_parameters_that_is_not_tagged_is_the_one_finding(make):
    hook = "def process_frame(frame, params: Params):\n    return frame.tensor * params.gain + params.tone"
    kind = "import byoc_kit\nclass Params(byoc_kit.Params):\n    gain: float = 1\n    tone: float = 1"
    found = check(make(("byoc", CAPABILITY), ("", kind), ("byoc", hook)))
    assert [str(finding) for finding in found] == [
        "effects.ipynb, cell 3, line 1: Params is not in the tagged cells; cell 2 defines it; tag that cell `byoc` "
        "[untagged-name]"
    ]


@pytest.mark.parametrize("arguments", ["frame, gain", "frame, *, gain"])
def test_a_hook_that_cannot_be_called_is_not_told_of_params_that_it_does_not_take(make, arguments):
    params = "import byoc_kit\n\nclass Params(byoc_kit.Params):\n    gain: float = 1.0"
    hook = f"def process_frame({arguments}):\n    return frame.tensor * gain"
    notebook = make(("byoc", CAPABILITY), ("byoc", params), ("byoc", hook))
    assert [finding.code for finding in check(notebook)] == ["hook-signature"]


@pytest.mark.parametrize(
    ("field", "typed"),
    [("gain = 0.8", "gain: float = 0.8"), ("gain = Field(2, ge=0)", "gain: int = Field(2, ge=0)")],
)
def test_a_field_without_a_type_is_an_error(make, field, typed):
    params = f"import byoc_kit\nfrom pydantic import Field\n\nclass Params(byoc_kit.Params):\n    {field}"
    hook = "def process_frame(frame, params: Params):\n    return frame.tensor * params.gain"
    (finding,) = check(make(("byoc", CAPABILITY), ("byoc", params), ("byoc", hook)))
    assert (finding.code, finding.severity) == ("params-default", Severity.ERROR)
    assert (finding.message, finding.hint) == (
        "gain has no type, so the module cannot be loaded",
        f"write {typed}",
    )


def test_a_hook_that_takes_nothing_is_told_of_the_frame(make):
    params = "import byoc_kit\n\nclass Params(byoc_kit.Params):\n    gain: float = 1.0"
    notebook = make(("byoc", CAPABILITY), ("byoc", params), ("byoc", "def process_frame():\n    return None"))
    assert [finding.code for finding in check(notebook)] == ["hook-signature"]
