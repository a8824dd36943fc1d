"""The picture that stays in the notebook when no kernel runs."""

from __future__ import annotations

import uuid
from base64 import b64encode

ALT = "Input (left) and output (right) of process_frame"
# The poster stands under the living preview and shows only when that is gone; JupyterLab would say "model not found"
# above it. One picture in the widget's own output would be lost: front ends choose the widget.
_HIDDEN = """<style>
.jp-OutputArea:has(.byoc-preview) > .jp-OutputArea-child:has(.byoc-poster),
.jp-OutputArea-child:has(+ .jp-OutputArea-child .byoc-poster) > .jupyter-widgets:not(:has(*)) {{ display: none }}
.byoc-poster {{ max-width: 100%; border-radius: 4px }}
</style>
{poster}"""
_PICTURE = '<img class="byoc-poster" alt="{alt}" src="data:image/jpeg;base64,{data}">'
_NONE = '<p class="byoc-poster">The preview had no picture yet when the notebook was saved; run its cell to see it.</p>'


class Poster:
    """An output of the running cell, not to be seen as long as the preview itself is."""

    def __init__(self) -> None:
        self._id = f"byoc-poster-{uuid.uuid4().hex}"
        self._is_there = False

    def publish(self, jpeg: bytes | None) -> None:
        """Put a picture into the notebook, in place of what was published before; ``None`` says that there is none."""
        from IPython.display import publish_display_data

        poster = _NONE if jpeg is None else _PICTURE.format(alt=ALT, data=b64encode(jpeg).decode())
        bundle = {"text/html": _HIDDEN.format(poster=poster), "text/plain": f"<{ALT}>"}
        publish_display_data(bundle, transient={"display_id": self._id}, update=self._is_there)
        self._is_there = True
