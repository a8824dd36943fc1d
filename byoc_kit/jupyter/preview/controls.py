"""The controls of a preview: one for each field of a ``Params`` class."""

from __future__ import annotations

import enum
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, get_args, get_origin

import ipywidgets as widgets
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from byoc_kit.core.params import Params, raw_values
from byoc_kit.jupyter import kernel

Change = Callable[[str, Any], None]

_STEPS_A_SLIDER = 100
_NAME_WIDTH = "120px"
_CONTROL_WIDTH = "420px"
_ROUNDING = 1e-9
_COLOUR = re.compile("#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Bounds:
    """The bounds of a number, from its pydantic field; ``None`` for an open side."""

    low: float | None = None
    high: float | None = None
    is_low_excluded: bool = False
    is_high_excluded: bool = False
    step: float | None = None

    @classmethod
    def of(cls, field: FieldInfo) -> Bounds:
        """Read ``ge``, ``gt``, ``le``, ``lt`` and ``multiple_of``."""
        found: dict[str, float] = {}
        for constraint in field.metadata:
            for name in ("ge", "gt", "le", "lt", "multiple_of"):
                value = getattr(constraint, name, None)
                if isinstance(value, int | float):
                    found[name] = value
        return cls(
            found.get("ge", found.get("gt")),
            found.get("le", found.get("lt")),
            is_low_excluded="gt" in found,
            is_high_excluded="lt" in found,
            step=found.get("multiple_of"),
        )


def make_controls(params: Params, on_change: Change) -> dict[str, widgets.Widget]:
    """Make a control for each field, keyed by its name. ``on_change(name, value)`` runs when a person moves it."""
    controls = {}
    for name, field in type(params).model_fields.items():
        control = make_control(name, field, moved_value(params, name))
        control.observe(lambda change, name=name: on_change(name, _plain(change["owner"])), "value")
        controls[name] = control
    return controls


def moved_value(params: Params, name: str) -> Any:
    """Return the value that a person moves: before any validator, and of the type of the field's control."""
    raw, kind = raw_values(params)[name], type(params).model_fields[name].annotation
    if kind not in (bool, int, float):
        return raw
    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError:  # a validator reads it: "50 %"
        return getattr(params, name)


def make_control(name: str, field: FieldInfo, value: Any) -> widgets.Widget:
    """Choose the control for one field by its type and bounds."""
    look = {
        "description": field.title or name.replace("_", " "),
        "tooltip": field.description or name,
        "style": {"description_width": _NAME_WIDTH},
        "layout": widgets.Layout(width=_CONTROL_WIDTH, max_width="100%"),
    }
    kind = field.annotation
    if (choices := choices_of(kind)) is not None:
        dropdown = widgets.Dropdown(options=list(choices.items()), **look)
        dropdown.value = shown_value(dropdown, value)
        return dropdown
    if kind is bool:
        return widgets.Checkbox(value=value, **look)
    if kind in (int, float):
        return number_control(Bounds.of(field), value, look, is_whole=kind is int)
    if is_colour(field) and _COLOUR.fullmatch(str(value)):
        return widgets.ColorPicker(value=value, **look)
    control = widgets.Text(continuous_update=False, **look)
    control.is_json, control.is_text = kind is not str, str in get_args(kind)  # read back by _plain
    control.value = shown_value(control, value)
    return control


def is_colour(field: FieldInfo) -> bool:
    """Tell whether a field says ``json_schema_extra={"format": "color"}``, as JSON Schema's forms do."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and extra.get("format") == "color"


def shown_value(control: widgets.Widget, value: Any) -> Any:
    """Return a parameter's value in the form that its control has."""
    if isinstance(control, widgets.Dropdown):  # a class may hold an enum's values instead of its members
        choices = (choice for _, choice in control.options)
        return next((choice for choice in choices if value in (choice, getattr(choice, "value", None))), value)
    is_text = isinstance(control, widgets.Text) and not isinstance(value, str)
    return json.dumps(to_jsonable_python(value)) if is_text else value


def number_control(bounds: Bounds, value: float, look: Mapping[str, Any], *, is_whole: bool) -> widgets.Widget:
    """Make a slider if there is room between both bounds, else a box."""
    # If the value lies outside, a validator converts it, for example from per cent: the bounds are not the control's.
    if bounds.low is None or bounds.high is None or not bounds.low < bounds.high or not _is_within(bounds, value):
        return (widgets.IntText if is_whole else widgets.FloatText)(value=value, **look)
    step = bounds.step or (1 if is_whole else round_step((bounds.high - bounds.low) / _STEPS_A_SLIDER))
    low, high = bounds.low, bounds.high
    if bounds.step:  # a slider counts its steps from its low end
        low = math.ceil(low / step - _ROUNDING) * step
    # An excluded bound is one step away; the slider must not move a default that lies closer to it.
    if bounds.is_low_excluded:
        low = min(value, low if low > bounds.low else low + step)
    if bounds.is_high_excluded:
        high = max(value, high - step)
    if is_whole:
        return widgets.IntSlider(value, math.ceil(low), math.floor(high), max(1, int(step)), **look)
    return widgets.FloatSlider(value, min=low, max=high, step=step, readout_format=readout_format(step), **look)


def _is_within(bounds: Bounds, value: float) -> bool:
    return (bounds.low is None or bounds.low <= value) and (bounds.high is None or value <= bounds.high)


def choices_of(kind: Any) -> dict[str, Any] | None:
    """Return the values of a ``Literal`` or an ``Enum``, keyed by their names; ``None`` for another type."""
    if get_origin(kind) is Literal:
        return {str(choice): choice for choice in get_args(kind)}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {member.name.replace("_", " ").lower(): member for member in kind}
    return None


def round_step(step: float) -> float:
    """Return the next smaller of 1, 2 and 5 times a power of ten, so that a slider stops at plain numbers."""
    power = 10.0 ** math.floor(math.log10(step))
    return max(digit * power for digit in (1, 2, 5) if digit * power <= step * (1 + _ROUNDING))


def readout_format(step: float) -> str:
    """Return the number format that shows a slider's steps."""
    return f".{max(0, -math.floor(math.log10(step) + _ROUNDING))}f"


def lay_out(params: Params, controls: Mapping[str, widgets.Widget]) -> list[widgets.Widget]:
    """Return a row for each control, with its field's description beside it."""
    fields = type(params).model_fields
    rows = []
    for name, control in controls.items():
        said = widgets.HTML(f'<span class="byoc-said">{escape(fields[name].description or "")}</span>')
        rows.append(widgets.HBox([control, said], layout=widgets.Layout(flex_flow="row wrap", align_items="center")))
    return rows


def _plain(control: Any) -> Any:
    if not getattr(control, "is_json", False):
        return control.value
    try:
        value = json.loads(control.value)
    except json.JSONDecodeError:
        return control.value  # pydantic then takes it as text or says what is wrong
    return value if value is None or not control.is_text else control.value


class ControlPanel:
    """Shows ``params`` in ``view``; ``on_change(name, value)`` runs when a person moves a control."""

    def __init__(self, params: Params, on_change: Change) -> None:
        self.view = widgets.VBox()
        self._on_change = on_change
        self._is_showing = False
        self._shape: tuple[dict[str, Any], dict[str, Any]] = {}, {}
        self._controls: dict[str, widgets.Widget] = {}
        self.show(params)

    def __getitem__(self, name: str) -> widgets.Widget:
        """Return the control of a field."""
        return self._controls[name]

    def show(self, params: Params) -> None:
        """Show these values. The controls are made again only if the class has other fields or bounds."""
        # The annotations too: a cell that ran again has made new enum classes, whose schema is the same.
        fields = {name: field.annotation for name, field in type(params).model_fields.items()}
        shape = fields, type(params).model_json_schema()
        if self._controls and shape == self._shape:
            self._set(params)
            return
        self._shape = shape
        self._close_rows()
        self._controls = make_controls(params, self._tell)
        self.view.children = lay_out(params, self._controls)

    def free(self) -> None:
        """Let the front end choose again which shell the controls' messages go to."""
        for control in self._controls.values():
            kernel.let_front_end_choose(control)

    def close(self) -> None:
        """Close every widget."""
        self._close_rows()
        close_whole(self.view)

    def _set(self, params: Params) -> None:
        self._is_showing = True
        try:
            for name, control in self._controls.items():
                control.value = shown_value(control, moved_value(params, name))
        finally:
            self._is_showing = False

    def _tell(self, name: str, value: Any) -> None:
        if not self._is_showing:
            self._on_change(name, value)

    def _close_rows(self) -> None:
        for row in self.view.children:
            close_whole(row)


def close_whole(widget: widgets.Widget) -> None:
    """Close a widget and all widgets in it, also their layouts and styles, whose comms ipywidgets leaves open."""
    for inner in getattr(widget, "children", ()):
        close_whole(inner)
    for name in ("layout", "style"):
        part = getattr(widget, name, None)
        if part is not None:
            part.close()
    widget.close()
