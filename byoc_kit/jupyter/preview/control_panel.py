"""The controls of a preview: a row for each parameter, built anew when the parameters' class changes."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.controls import Change, lay_out, make_controls, moved_value, shown_value
from byoc_kit.params import Params


class ControlPanel:
    """Shows ``params`` in :attr:`view`; ``on_change(name, value)`` runs when a person moves a control."""

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
        """Show these values; the controls are made anew only where the class has other fields or bounds."""
        # The annotations too: a cell that ran again has made its enums anew, which look the same in the schema.
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
        """Let the front end choose anew by which shell it talks to the controls."""
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
    """Close a widget and all that is in it, with layouts and styles, whose comms ipywidgets would leave open."""
    for inner in getattr(widget, "children", ()):
        close_whole(inner)
    for name in ("layout", "style"):
        part = getattr(widget, name, None)
        if part is not None:
            part.close()
    widget.close()
