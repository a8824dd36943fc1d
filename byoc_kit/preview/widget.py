"""The two pictures in the notebook: an anywidget without traits that change."""

from __future__ import annotations

from pathlib import Path

import anywidget
from traitlets import Int

_HERE = Path(__file__).parent


class Pictures(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget is not checked
    """Draws what :class:`~byoc_kit.preview.channel.Channel` sends; the traits only keep the place until then."""

    _esm = _HERE / "widget.js"
    _css = _HERE / "widget.css"
    width = Int(16).tag(sync=True)
    height = Int(9).tag(sync=True)
