import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, computed_field, field_validator, model_validator

from byoc_kit.core.params import MAX_VALUES, DefaultError, Params, ParamsError, default_params, load_json, parse_changes
from byoc_kit.errors import LONGEST_TEXT


class Blur(Params):
    radius: int = Field(default=3, ge=0, le=9)


class Effect(Params):
    strength: float = Field(default=0.5, ge=0, le=1)
    mode: str = "soft"
    blur: Blur = Blur()


class Sized(Params):
    side: int = Field(default=2, exclude=True)

    @computed_field
    @property
    def area(self) -> int:
        return self.side**2


class Range(Params):
    low: int = 0
    high: int = 9

    @model_validator(mode="after")
    def _is_ordered(self):
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"stength": 1}, "stength", r"is no parameter of this model; did you mean strength\?$"),
        ({"zoom": 1}, "zoom", "is no parameter of this model$"),
        ({"strength" * 20: 1}, "strength" * 20, "is no parameter of this model$"),
        ({"strength": 1.5}, "strength", "less than or equal to 1"),
        ({"strength": -0.1}, "strength", "greater than or equal to 0"),
        ({"strength": float("nan")}, "strength", "finite number"),
        ({"strength": "lots"}, "strength", "valid number"),
        ({"mode": None}, "mode", "valid string"),
        ({"blur": {"radius": 10}}, "blur.radius", "less than or equal to 9"),
        ({"blur": {"size": 1}}, "blur.size", "is no parameter of this model"),
    ],
)
def test_a_change_that_does_not_fit_names_its_field(changes, field, reason):
    with pytest.raises(ParamsError, match=reason) as raised:
        Effect().updated(changes)
    assert raised.value.field == field
    assert str(raised.value).startswith(f"{field}: ")


def test_a_slip_of_the_pen_is_met_with_the_field():
    with pytest.raises(AttributeError, match=r"^Effect has no field stength; did you mean strength\?$"):
        Effect().stength  # noqa: B018  # as process_frame reads it
    for name in ("zoom", "_strength"):
        with pytest.raises(AttributeError, match=f"^'Effect' object has no attribute '{name}'$"):
            getattr(Effect(), name)


def test_a_rule_about_several_fields_is_reported_of_the_params():
    with pytest.raises(ParamsError, match="low is above high") as raised:
        Range().updated({"low": 10})
    assert raised.value.field == "params"


def test_a_change_leaves_the_other_fields_and_the_old_params_alone():
    before = Effect(strength=0.1, blur=Blur(radius=7))
    after = before.updated({"mode": "hard"})
    assert after == Effect(strength=0.1, mode="hard", blur=Blur(radius=7))
    assert before.mode == "soft"


def test_one_bad_change_applies_none():
    params = Effect()
    with pytest.raises(ParamsError):
        params.updated({"mode": "hard", "strength": 2})
    assert params == Effect()


def test_params_cannot_be_written_to():
    said = r"^strength was set: parameters cannot be changed in a hook; make a variable of your own$"
    with pytest.raises(AttributeError, match=said):
        Effect().strength = 1.0


def test_an_unknown_name_is_refused_at_the_start_too():
    with pytest.raises(ValidationError, match="Extra inputs"):
        Effect(stength=1)


def test_fields_that_are_not_dumped_or_only_computed_survive_a_change():
    params = Sized(side=5).updated({})
    assert (params.side, params.area) == (5, 25)


@given(st.floats(0, 1))
def test_every_value_within_the_bounds_is_taken(strength):
    assert Effect().updated({"strength": strength}).strength == strength


@pytest.mark.parametrize(
    "raw",
    [
        {"a": 1},
        '{"a": 1}',
        {"params": {"a": 1}},
        '{"params": {"a": 1}}',
        {"params": '{"a": 1}'},
        '"{\\"a\\": 1}"',
        {"params": {"params": {"a": 1}}},
    ],
)
def test_changes_are_read_through_every_wrapping(raw):
    assert parse_changes(raw) == {"a": 1}


@pytest.mark.parametrize("raw", [None, "", "null", {}, "{}", {"params": None}, {"params": ""}, '{"params": null}'])
def test_nothing_is_no_change(raw):
    assert parse_changes(raw) == {}


def test_params_next_to_other_keys_is_a_field_like_them():
    assert parse_changes({"params": 1, "a": 2}) == {"params": 1, "a": 2}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ([1], "must be an object, not list"),
        ("[1]", "must be an object, not list"),
        ({"params": [1]}, "must be an object, not list"),
        (3, "must be an object, not int"),
        ("true", "must be an object, not bool"),
        (b"{}", "must be an object, not bytes"),
        ("{a: 1}", "is no JSON"),
        ("1" * 5000, "is no JSON"),
        ("[" * 40_000, "is no JSON"),
    ],
)
def test_what_is_no_object_is_refused(raw, text):
    with pytest.raises(ParamsError, match=text) as raised:
        parse_changes(raw)
    assert raised.value.field == "params"


@given(st.text() | st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.just("params"), inner)))
def test_whatever_a_client_sends_gives_changes_or_a_params_error(raw):
    with suppress(ParamsError):
        assert isinstance(parse_changes(raw), dict)


@given(st.dictionaries(st.text().filter(lambda name: name != "params"), st.integers() | st.text() | st.none()))
def test_an_object_reads_the_same_as_its_json(changes):
    assert parse_changes(changes) == parse_changes(json.dumps(changes)) == changes


def test_a_field_is_known_by_its_alias_too():
    class Aliased(Params):
        gain: float = Field(1.0, alias="g")
        bias: int = 0

    changed = Aliased().updated({"gain": 2})
    assert changed.updated({"bias": 3}).gain == 2
    assert changed.updated({"g": 4}).gain == 4


def test_a_default_that_does_not_fit_is_one_line_whatever_a_validator_says():
    class Talkative(Range):
        low: int = 10

        @model_validator(mode="after")
        def _explain(self):
            raise ValueError("low\nis\nabove high")

    with pytest.raises(DefaultError) as caught:
        default_params(Talkative)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith("no stream can start with the parameters' defaults: low is above")


def test_names_are_looked_at_before_any_value_and_the_first_unknown_is_refused():
    seen = []

    class Watched(Params):
        gain: float = 1.0

        @field_validator("gain")
        @classmethod
        def _see(cls, value):
            seen.append(value)
            return value

    params = Watched()
    seen.clear()
    with pytest.raises(ParamsError, match="is no parameter") as raised:
        params.updated({"gain": 2, **{f"unknown{number}": number for number in range(100_000)}})
    assert raised.value.field == "unknown0"
    assert seen == []


def test_a_name_that_the_class_itself_takes_is_no_unknown_one():
    class Renamed(Params):
        gain: float = 1.0

        @model_validator(mode="before")
        @classmethod
        def _old_name(cls, given):
            return {"gain" if name == "amount" else name: value for name, value in given.items()}

    class Loose(Params, extra="allow"):
        gain: float = 1.0

    assert Renamed().updated({"amount": 3}).gain == 3
    assert Loose().updated({"amount": 3}).model_extra == {"amount": 3}


def test_json_of_too_many_values_is_refused_before_it_is_parsed():
    for text in (f"[{'[],' * MAX_VALUES}1]", json.dumps({str(n): n for n in range(MAX_VALUES + 1)}), "{" * 100_000):
        with pytest.raises(ParamsError, match=f"^params: has more than {MAX_VALUES} values; send large data as one"):
            load_json(text, field="params")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_commas_and_brackets_in_texts_are_no_values(encoding):
    content = {"table": 'a, "b", [c]\\\n' * MAX_VALUES, "gain": 1}
    assert load_json(json.dumps(content).encode(encoding), field="params") == content


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_within_bounds_is_what_json_says(content):
    assert load_json(json.dumps(content).encode(), field="params") == content


def test_a_refusal_of_something_long_is_short():
    class Talkative(Params):
        gain: float = 1.0

        @field_validator("gain")
        @classmethod
        def _refuse(cls, value):
            if value > 1:
                raise ValueError("no " * 1_000_000)
            return value

    for change in ({"gain": 2}, {"x" * 5_000_000: 1}):
        with pytest.raises(ParamsError) as raised:
            Talkative().updated(change)
        assert len(str(raised.value)) < 2 * LONGEST_TEXT
