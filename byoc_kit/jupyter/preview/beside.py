"""The function that a preview compares ``process_frame`` with, on the same frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from byoc_kit.errors import ByocKitError, name_of, text_of
from byoc_kit.frames import VideoFrame
from byoc_kit.jupyter.preview.followed import Followed
from byoc_kit.jupyter.preview.version import Version
from byoc_kit.stage import Processed


class Beside:
    """Runs ``version`` on frames that have gone through the stage; :attr:`error` says in one sentence why it cannot."""

    def __init__(self, version: Version) -> None:
        self.error = ""
        self._version = version
        self._followed = Followed(version)

    @property
    def name(self) -> str:
        """What the notebook calls the function."""
        return self._version.name

    def follow(self, namespace: Mapping[str, Any]) -> bool:
        """Take over what was defined anew under its name; returns whether something was.

        Raises :class:`ByocKitError` for what cannot be called; the function before goes on.
        """
        function = self._followed.newer(namespace)
        if function is None:
            return False
        try:
            self._version = self._version.followed_by(function)
        except ByocKitError as error:
            msg = f"{self.name}: {error}"
            raise ByocKitError(msg) from error
        self._followed.take(self._version)
        return True

    def output(self, result: Processed) -> VideoFrame:
        """Return what it makes of the same frame; that as it came in, where it failed or withheld it."""
        version, frame = self._version, result.source.original()
        try:
            output = version.run_beside(frame, result.params)
        except BaseException as error:  # noqa: BLE001  # as in the stage: said, and shown as it came in
            where, said = version.where("process_frame", error), " ".join(text_of(error).split())
            self.error = f"{version.name} failed at {where}: {name_of(error)}: {said}".removesuffix(": ")
            return frame
        self.error = ""
        return output or frame
