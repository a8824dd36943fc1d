import enum
from typing import Literal

import ipywidgets as widgets
import pytest
from pydantic import ConfigDict, Field, field_validator

import byoc_kit
from byoc_kit.jupyter.preview.controls import lay_out, make_controls, round_step


class Mood(enum.Enum):
    VERY_CALM = 1
    WILD = 2


class Params(byoc_kit.Params):
    gain: float = Field(1.4, ge=0, le=4, description="Gain <green>")
    above: float = Field(0.001, gt=0, lt=1)
    steps: int = Field(4, gt=0, le=50, multiple_of=2)
    free: float = 3.5
    seed: int = Field(7, ge=0)
    is_on: bool = True
    mode: Literal["soft", "hard"] = "hard"
    mood: Mood = Mood.WILD
    prompt: str = "a cat"
    weights: list[float] = Field(default=[1.0, 2.0])
    maybe: float | None = None


@pytest.fixture
def moved():
    return []


@pytest.fixture
def controls(moved):
    return make_controls(Params(), lambda name, value: moved.append((name, value)))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gain", widgets.FloatSlider),
        ("above", widgets.FloatSlider),
        ("steps", widgets.IntSlider),
        ("free", widgets.FloatText),
        ("seed", widgets.IntText),
        ("is_on", widgets.Checkbox),
        ("mode", widgets.Dropdown),
        ("mood", widgets.Dropdown),
        ("prompt", widgets.Text),
        ("weights", widgets.Text),
        ("maybe", widgets.Text),
    ],
)
def test_each_type_has_its_control(controls, name, kind):
    assert type(controls[name]) is kind


def test_a_slider_has_the_fields_bounds(controls):
    gain = controls["gain"]
    assert (gain.min, gain.max, gain.value, gain.step) == (0, 4, 1.4, 0.02)
    assert gain.readout_format == ".2f"


def test_an_excluded_bound_cannot_be_reached_and_moves_no_default(controls):
    above = controls["above"]
    assert (above.min, above.max, above.value) == (0.001, 0.99, 0.001)
    steps = controls["steps"]
    assert (steps.min, steps.max, steps.step) == (2, 50, 2)


def test_every_default_arrives_unchanged(controls):
    for name, control in controls.items():
        expected = {"weights": "[1.0, 2.0]", "maybe": "null"}.get(name, getattr(Params(), name))
        assert control.value == expected


@pytest.mark.parametrize(
    ("name", "moved_to", "value"),
    [
        ("gain", 2.0, 2.0),
        ("mode", "soft", "soft"),
        ("mood", Mood.VERY_CALM, Mood.VERY_CALM),
        ("is_on", False, False),
        ("prompt", "12", "12"),
        ("weights", "[3]", [3]),
        ("weights", "nonsense", "nonsense"),
        ("maybe", "2.5", 2.5),
    ],
)
def test_a_moved_control_tells_its_field_and_value(controls, moved, name, moved_to, value):
    controls[name].value = moved_to
    assert moved == [(name, value)]


def test_text_that_looks_like_a_number_stays_text_where_text_fits(moved):
    class Named(byoc_kit.Params):
        name: str | None = None

    control = make_controls(Named(), lambda _, value: moved.append(value))["name"]
    for value in ("2024", "null"):
        control.value = value
        Named().updated({"name": moved[-1]})
    assert moved == ["2024", None]


def test_a_number_without_room_between_its_bounds_has_a_box():
    class Fixed(byoc_kit.Params):
        gain: float = Field(1, ge=1, le=1)

    assert type(make_controls(Fixed(), lambda *_: None)["gain"]) is widgets.FloatText


def test_a_slider_stops_at_multiples_only():
    class Even(byoc_kit.Params):
        rows: int = Field(4, ge=1, le=9, multiple_of=2)

    slider = make_controls(Even(), lambda *_: None)["rows"]
    assert (slider.min, slider.step) == (2, 2)


def test_an_enum_that_is_kept_by_its_value_has_its_control():
    class Plain(byoc_kit.Params):
        model_config = ConfigDict(use_enum_values=True)
        mood: Mood = Mood.WILD

    control = make_controls(Plain().updated({"mood": Mood.VERY_CALM}), lambda *_: None)["mood"]
    assert control.value is Mood.VERY_CALM


def test_an_enum_is_called_by_its_names(controls):
    assert [label for label, _ in controls["mood"].options] == ["very calm", "wild"]


def test_a_description_stands_next_to_its_control_as_text(controls):
    rows = lay_out(Params(), controls)
    assert rows[0].children[0] is controls["gain"]
    assert "Gain &lt;green&gt;" in rows[0].children[1].value
    assert controls["gain"].tooltip == "Gain <green>"


def test_without_parameters_there_is_no_control():
    assert make_controls(byoc_kit.Params(), lambda *_: None) == {}


@pytest.mark.parametrize(("step", "rounded"), [(0.04, 0.02), (0.01, 0.01), (2.55, 2), (7, 5), (100, 100)])
def test_a_step_is_a_plain_number(step, rounded):
    assert round_step(step) == pytest.approx(rounded)


class PerCent(byoc_kit.Params):
    strength: float = Field(50, ge=0, le=100)
    colour: str = Field("#ff8000", json_schema_extra={"format": "color"})
    share: float = Field(60, ge=0, le=1)
    amount: float = "0.5"

    @field_validator("strength")
    @classmethod
    def _as_fraction(cls, value):
        return value / 100

    @field_validator("colour")
    @classmethod
    def _as_rgb(cls, value):
        return tuple(int(value[at : at + 2], 16) for at in (1, 3, 5))

    @field_validator("share", mode="before")
    @classmethod
    def _of_per_cent(cls, value):
        return value / 100


def test_a_control_has_the_value_that_a_person_gives_not_what_validators_make_of_it():
    controls = make_controls(PerCent().updated({"strength": 20}), lambda *_: None)
    assert (controls["strength"].value, controls["strength"].max) == (20, 100)
    assert isinstance(controls["colour"], widgets.ColorPicker)
    assert controls["colour"].value == "#ff8000"
    assert isinstance(controls["share"], widgets.FloatText)  # the bounds are of what the validator makes
    assert controls["share"].value == 60
    assert controls["amount"].value == 0.5
