"""The picture that stays in the notebook when no kernel runs."""

from __future__ import annotations

from base64 import b64encode

# The poster stands under the living preview and shows only when that is gone; JupyterLab would say "model not found"
# above it. One picture in the widget's own output would be lost: front ends choose the widget.
_HIDDEN = """<style>
.jp-OutputArea:has(.byoc-preview) > .jp-OutputArea-child:has(.byoc-poster),
.jp-OutputArea-child:has(+ .jp-OutputArea-child .byoc-poster) > .jupyter-widgets:not(:has(*)) {{ display: none }}
.byoc-poster {{ max-width: 100%; border-radius: 4px }}
</style>
<img class="byoc-poster" alt="{alt}" src="data:image/jpeg;base64,{data}">"""

ALT = "Input (left) and output (right) of process_frame"


def publish_hidden(jpeg: bytes) -> None:
    """Put the poster into the notebook, not to be seen as long as the preview itself is."""
    data = b64encode(jpeg).decode()
    _publish({"text/html": _HIDDEN.format(alt=ALT, data=data), "text/plain": f"<{ALT}>"})


def publish_text(text: str) -> None:
    """Put text into the notebook as a plain output."""
    _publish({"text/plain": text})


def _publish(bundle: dict[str, str]) -> None:
    from IPython.display import publish_display_data

    publish_display_data(bundle)
