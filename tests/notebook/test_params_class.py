import sys
import types
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notebook_rig import CAPABILITY, plan_file, write_notebook
from params_rig import PROCESS_FRAME, analysis, of_fields, said
from pydantic_core import SchemaError

from byoc_kit.bundle.plan import write
from byoc_kit.core.bundle_reader import load_processor, read_bundle, schema_drift
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import ParamsError
from byoc_kit.jupyter.preview.clip_feed import ClipFeed
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.player import Player
from byoc_kit.notebook.params_class import params_schema
from byoc_kit.regress import process_clip
from byoc_kit.server.requests import StartRequest
from byoc_kit.server.session import Session
from byoc_kit.server.settings import ServerSettings
from byoc_kit.sources.open_source import open_source

__all__ = ["write_notebook"]


def running_schema(source):
    """The schema of the class that the exported module will have."""
    module = types.ModuleType("processor")
    sys.modules["processor"] = module
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(source, "processor.py", "exec"), module.__dict__)  # noqa: S102  # that is what is compared with
            return Hooks.of(module.process_frame).params_type.model_json_schema()
    finally:
        del sys.modules["processor"]


MODE = "class Mode(StrEnum):\n    SOFT = auto()\n    HARD = 'hard'"


TINT = "class Tint(byoc_kit.Params):\n    'Doc.'\n    y: int = 3\n    z: int = 4"


BLUR = "class Blur(Base):\n    'B.'\n    r: int = 1"


NAMES = "MAX = 4\nLOW: float = -1.5\nGain = Annotated[float, Field(le=2)]"


METHODS = """\
LOW: ClassVar[int] = 3
_seen: int = 0
_cache = {}
x: int = Field(LOW, ge=LOW, title='X')
@field_validator('x')
@classmethod
def check(cls, x): return run_me(x)
@field_validator('x', mode='before')
@classmethod
def early(cls, x): return x
@model_validator(mode='after')
def all(self): return self
@computed_field
@property
def area(self) -> int: return self.x ** 2
@functools.cached_property
def table(self): return []
""".splitlines()


SOUND = [
    of_fields("gain: float = 1.4"),
    of_fields("gain: float"),
    of_fields('"""Of the tint."""', "gain: float = Field(1.4, ge=0, le=4, description='Gain')"),
    of_fields('"""Of\n       the tint."""', "gain: int = Field(default=-3, gt=-10, multiple_of=3)"),
    of_fields("on: bool = True", "name: str = ''", "names: list[str] = ['a', 'b']", "box: tuple[int, int] = (1, -2)"),
    of_fields("table: dict[str, list[float]] = {'a': [1, 2.5]}", "any_: Any = None", "more: tuple[int, ...] = ()"),
    of_fields("mode: Literal['a', 'b', 3, None] = 'a'", "x: Optional[int] = None", "y: Union[int, str] = 3"),
    of_fields("x: int | None = None", "y: 'float' = 2", "z: list['int'] = Field(default_factory=lambda: [1])"),
    of_fields("x: Annotated[float, Field(ge=0)] = 1", "y: conint(ge=2, le=3) = 2", "z: confloat(gt=0) = 1"),
    of_fields("x: PositiveInt = 2", "y: Annotated[int, annotated_types.Interval(ge=1, le=9)] = 3"),
    of_fields("x: int = Field(MAX, le=MAX)", "y: Gain = LOW", before=NAMES),
    of_fields("mode: Mode = Mode.SOFT", "m2: Mode | None = None", before=MODE),
    of_fields("m: M = 'x'", before="class M(str, Enum):\n    'How.'\n    X = 'x'\n    def f(self): return run_me()"),
    of_fields("m: M = M.B", "n: int = M.A.value", before="class M(IntEnum):\n    A = 1\n    B = A"),
    of_fields("m: M", before="class M(enum.Enum):\n    A = (1, 2)\n    B = 'b'\n    C = None"),
    of_fields("m: Literal[M.A] = M.A", before="@enum.unique\nclass M(StrEnum):\n    A = 'a'"),
    of_fields("x: int = 1", head="class Params(Base, title='Tint', str_strip_whitespace=True):"),
    of_fields("x: int = 1", "y: float = 2", head="class Params(Tint):", before=TINT),
    of_fields("blur: Blur = Field(default_factory=lambda: Blur())", "b: list[Blur] = []", before=BLUR),
    of_fields("model_config = ConfigDict(title='T', extra='allow')", "x: int = 1"),
    of_fields("model_config = {'json_schema_extra': {'examples': [{'x': 2}]}}", "x: int = Field(1, examples=[1, 2])"),
    of_fields(*METHODS),
    "from __future__ import annotations\n" + of_fields("m: Mode = Mode.HARD", "x: int | None = None", before=MODE),
    of_fields("x: int = 1", head="class Tint(byoc_kit.Params):").replace("params)", "p: Tint)"),
    of_fields("x: int = 1", head="class Tint(byoc_kit.Params):").replace("params)", "params: 'Tint')"),
    of_fields("x: int = 1").replace("def process_frame(frame, params)", "async def process_frame(f, *, params: dict)"),
    of_fields("x: int = 1").replace(PROCESS_FRAME, "process_frame = lambda frame, params: frame"),
    of_fields("größe: float = 1", "名: str = 'ü\\u2028'"),
    of_fields("x: int = 0x" + 3000 * "f"),
    of_fields("pass"),
]


@pytest.mark.parametrize("source", SOUND, ids=range(len(SOUND)))
def test_the_schema_is_the_one_of_the_running_class(source):
    assert [finding for finding in said(source) if "[params-default]" not in finding] == []
    assert params_schema(analysis(source)) == running_schema(source)


NUMBERS = st.integers(-9, 9).map(str) | st.floats(-9, 9).map(repr)


BOUNDS = st.dictionaries(st.sampled_from(["ge", "gt", "le", "lt"]), NUMBERS, max_size=2)


TEXTS = st.dictionaries(st.sampled_from(["title", "description"]), st.text(max_size=8).map(repr), max_size=2)


# A type and a literal of it.
PLAIN = st.sampled_from(
    [
        ("bool", "True"),
        ("str", "'a'"),
        ("'str'", "''"),
        ("Mode", "Mode.HARD"),
        ("Mode | None", "None"),
        ("Literal['a', -1]", "-1"),
        ("Optional[int]", "None"),
        ("Union[int, str]", "'3'"),
        ("list[Mode]", "[]"),
        ("dict[str, float]", "{'a': -1.5}"),
        ("tuple[int, str]", "(1, 'b')"),
        ("list[list[int]]", "[[1], []]"),
    ]
)


@st.composite
def field_lines(draw):
    name = draw(st.from_regex(r"[a-z][a-z0-9]{0,5}_f", fullmatch=True))
    is_number = draw(st.booleans())
    kind, default = (draw(st.sampled_from(["int", "float"])), draw(NUMBERS)) if is_number else draw(PLAIN)
    options = draw(TEXTS) | (draw(BOUNDS) if is_number else {})
    given = ", ".join(f"{key}={value}" for key, value in options.items())
    ways = [
        f"{name}: {kind}",
        f"{name}: {kind} = {default}",
        f"{name}: {kind} = Field({given})",
        f"{name}: {kind} = Field(default={default}, {given})",
        f"{name}: Annotated[{kind}, Field({given})] = {default}",
    ]
    return draw(st.sampled_from(ways))


@given(st.lists(field_lines(), min_size=1, max_size=5, unique_by=lambda line: line.partition(":")[0]), st.booleans())
def test_the_schema_of_whatever_class_is_the_one_of_the_running_class(lines, is_late):
    source = ("from __future__ import annotations\n" if is_late else "") + of_fields(*lines, before=MODE)
    try:
        running = running_schema(source)
    except SchemaError:  # a bound that is not of the field's type
        running = None
    assert params_schema(analysis(source)) == running
    assert any("[params-schema]" in finding for finding in said(source)) == (running is None)


@pytest.mark.parametrize("again", ["", "from byoc_kit import Params\n"])
@pytest.mark.parametrize("base", ["Params", "Common"])
def test_a_class_may_have_the_name_of_what_it_is_made_from(again, base):
    source = (
        f"from byoc_kit import Params\n{again}class Common(Params): size: int = 2\n"
        f"class Params({base}): gain: float = 1.0\n"
        "def process_frame(frame, params: Params): return params.gain, params.gian"
    )
    [text] = said(source)
    assert text.endswith("params.gian: Params has no field gian; did you mean params.gain? [unknown-param]")
    assert params_schema(analysis(source)) == running_schema(source)


def test_two_classes_that_name_each_other_are_no_endless_question():
    said("class A: pass\nclass B(A): pass\nclass A(B): pass\ndef process_frame(frame, params: A): ...")


@pytest.fixture
def export(write_notebook, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "processor", raising=False)

    def export(source):
        cells = [("byoc", source), ("byoc", CAPABILITY)]
        write(plan_file(write_notebook(cells=cells), tmp_path / "out"))
        return read_bundle(tmp_path / "out")

    yield export
    sys.modules.pop("processor", None)


GAIN = of_fields("gain: float = Field(1.4, ge=0, le=4)")


def test_a_bundle_has_the_schema_of_what_it_loads(export):
    bundle = export(GAIN)
    assert schema_drift(bundle, load_processor(bundle)) is None
    first = (bundle.folder / "params.schema.json").read_bytes()
    export(GAIN)
    assert (bundle.folder / "params.schema.json").read_bytes() == first


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        (GAIN.replace("le=4", "le=5"), "of gain"),
        (GAIN.replace("gain", "level"), "of gain, level"),
        (GAIN.replace("Params):", "Params):\n    'Doc.'"), "of the parameters"),
    ],
)
def test_a_schema_that_the_loaded_class_does_not_have_is_drift(export, schema, what):
    other = (export(schema).folder / "params.schema.json").read_text()
    bundle = export(GAIN)
    (bundle.folder / "params.schema.json").write_text(other)
    assert schema_drift(bundle, load_processor(bundle)) == (
        f"params.schema.json does not say {what} what Params does; export the notebook again"
    )


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"properties": 3}', "[" * 100_000])
def test_a_broken_schema_is_one_sentence(export, text):
    bundle = export(GAIN)
    (bundle.folder / "params.schema.json").write_text(text)
    drift = schema_drift(bundle, load_processor(bundle))
    assert drift.startswith("params.schema.json ")
    assert drift.endswith("; export the notebook again")


def test_a_schema_that_cannot_be_known_any_more_is_removed(export):
    bundle = export(GAIN)
    export(GAIN.replace("le=4", "le=abs(4)"))
    assert not (bundle.folder / "params.schema.json").exists()
    assert schema_drift(bundle, load_processor(bundle)) is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"gain": 9}, "gain: Input should be less than or equal to 4"),
        ({"gain": "much"}, "gain: Input should be a valid number, unable to parse string as a number"),
        ({"gian": 1}, "gian: is no parameter of this model; did you mean gain?"),
        ({"gain": float("nan")}, "gain: Input should be a finite number"),
    ],
)
def test_server_preview_and_regression_say_the_same_of_a_wrong_value(export, clip, changes, text):
    processor = load_processor(export(GAIN))
    request = StartRequest(gateway_request_id="request", params=changes)
    version = Version(processor.hooks.process_frame)
    player = Player(version, ClipFeed(open_source(clip)), lambda result: None, on_event=lambda: None)
    try:
        for refuse in (
            lambda: Session("stream", request, processor, ServerSettings()),
            lambda: player.update(changes),
            lambda: process_clip(processor, clip, params=changes, width=64, every=1),
        ):
            with pytest.raises(ParamsError) as caught:
                refuse()
            assert str(caught.value) == text
    finally:
        player.close()
