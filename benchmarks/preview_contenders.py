"""What can show a live picture in a notebook, and where in the page it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from byoc_kit.errors import ByocKitError

NAP_S = 0.2


@dataclass(frozen=True)
class PreviewContender:
    """One way of showing: a function of ``preview_kernel``, and what it puts into the page.

    The output is in the part of the element ``selector`` that begins at ``left``, a fraction of its width.
    ``options`` are more of the function's arguments.
    """

    key: str
    title: str
    function: str
    selector: str
    left: float = 0.0
    options: str = ""

    def cell(self, clip: str, notes: str) -> str:
        """Return the notebook cell that starts it."""
        arguments = ", ".join(filter(None, [repr(clip), repr(notes), self.options]))
        return f"from benchmarks.preview_kernel import {self.function}\n\n{self.function}({arguments})\n"


_OURS = ("byoc_kit", ".byoc-preview-output")
OURS = PreviewContender("byoc-kit", "byoc-kit", *_OURS)
# A clip of minutes: no memory keeps its frames.
OURS_DECODING = PreviewContender("byoc-kit-decoding", "byoc-kit, each frame decoded", *_OURS, options="times=100")
IMAGE = PreviewContender("ipywidgets-image", "ipywidgets.Image", "ipywidgets_image", "img.widget-image", left=0.5)
RFB = PreviewContender("jupyter-rfb", "jupyter_rfb", "jupyter_rfb", "img.renderview-view", left=0.5)
OURS_SLOW = PreviewContender(
    "byoc-kit-slow", f"byoc-kit, {1000 * NAP_S:.0f} ms a frame", *_OURS, options=f"nap_s={NAP_S}"
)

ALL = (OURS, OURS_DECODING, IMAGE, RFB, OURS_SLOW)


def choose(keys: Iterable[str]) -> list[PreviewContender]:
    """Return the contenders of these keys in the usual order, all for none; raises ``ByocKitError``."""
    wanted = set(keys)
    if unknown := wanted - {contender.key for contender in ALL}:
        msg = f"there is no contender {min(unknown)}; there are {', '.join(contender.key for contender in ALL)}"
        raise ByocKitError(msg)
    return [contender for contender in ALL if contender.key in wanted or not wanted]
