"""What an operator may set, through environment variables: ``BYOC_KIT_`` and the setting's name in capitals."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, ValidationError

from byoc_kit.errors import ByocKitError
from byoc_kit.media.settings import MediaSettings
from byoc_kit.server.health import Contract

logger = logging.getLogger(__name__)

PREFIX = "BYOC_KIT_"
SHUTDOWN_S = 0.3
"""What open requests get at the very end, to finish and again to be cancelled: with the streams' end less than 8 s."""


class ServerSettings(MediaSettings):
    """Settings of the container, besides those of :class:`~byoc_kit.media.settings.MediaSettings`.

    ``contract``: which words ``/health`` uses. ``on_error``: what goes out for a frame that failed: the original, the
    last good one, or none. ``/health`` says error after ``max_failures`` frames in a row that fail, or cannot be
    encoded, and where ``process_frame``, ``process_audio`` or a hook of a stream has not returned for
    ``stall_timeout_s``; and is well again when the model is.
    """

    contract: Contract = Contract.BYOC
    on_error: Literal["passthrough", "last", "drop"] = "passthrough"
    max_failures: int = Field(default=100, ge=1)
    stall_timeout_s: float = Field(default=30.0, gt=0)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings. Raises :class:`~byoc_kit.errors.ByocKitError` naming a variable that does not fit."""
        environment = os.environ if environment is None else environment
        given = {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}
        by_variable = variables()
        for unknown in given.keys() - by_variable.keys():
            logger.warning("%s is no setting; there are %s", unknown, ", ".join(by_variable))
        try:
            return cls.model_validate({by_variable[name]: given[name] for name in given.keys() & by_variable.keys()})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = PREFIX + str(first["loc"][0]).upper()
            msg = f"{name}={first['input']} does not fit: {first['msg']}"
            raise ByocKitError(msg) from None


def variables() -> dict[str, str]:
    """Return the name of each setting by that of its environment variable."""
    return {PREFIX + name.upper(): name for name in ServerSettings.model_fields}
