"""The pictures and the controls around them in the notebook: an anywidget without traits that change."""

from __future__ import annotations

from pathlib import Path

import anywidget
from traitlets import Int

_HERE = Path(__file__).parent
_PARTS = ("elements.js", "pair.js", "view.js", "camera.js", "widget.js")


class Pictures(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget is not checked
    """Draws what :class:`.Channel` sends; the traits only keep the place until then."""

    # One ES module of several files: a widget's module has no address that another could be imported from.
    _esm = "\n".join((_HERE / part).read_text() for part in _PARTS)
    # The text, not the path: anywidget has what it makes of a path refer to each widget for ever.
    _css = (_HERE / "widget.css").read_text()
    width = Int(16).tag(sync=True)
    height = Int(9).tag(sync=True)
