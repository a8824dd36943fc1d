"""What an operator may set, through environment variables: ``BYOC_KIT_`` and the setting's name in capitals."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator

from byoc_kit.errors import ByocKitError
from byoc_kit.media.codecs import MediaSettings
from byoc_kit.server.health import Contract, contract_of
from byoc_kit.server.requests import Url

logger = logging.getLogger(__name__)

PREFIX = "BYOC_KIT_"
PREVIEW = f"{PREFIX}PREVIEW"
"""The one setting of a notebook: ``still`` keeps its previews from playing. The container has no use for it."""
TOKEN_FILE = f"{PREFIX}TOKEN_FILE"
_TOKEN = f"{PREFIX}TOKEN"


class ServerSettings(MediaSettings):
    """Settings of the container, besides those of ``MediaSettings``.

    ``contract``: which words ``/health`` uses; by default those of whom the environment shows. ``on_error``: what goes
    out for a frame that failed: the original, the last good one, or none. ``/health`` says error after
    ``max_failures`` frames in a row that fail, or cannot be encoded, and where ``process_frame``, ``process_audio`` or
    a hook of a stream has not returned for ``stall_timeout_s``; and is well again when the model is. A stream's first
    ``process_frame`` may take ``first_frame_timeout_s``, where that is longer: it may compile the model. ``token``:
    what callers must send, if it is set; ``BYOC_KIT_TOKEN_FILE`` names a file that has it. ``orchestrator_url``: where
    the orchestrator of Live Runners is, as this container reaches it.
    """

    contract: Contract = Contract.BYOC
    on_error: Literal["passthrough", "last", "drop"] = "passthrough"
    max_failures: int = Field(default=100, ge=1)
    stall_timeout_s: float = Field(default=30.0, gt=0)
    first_frame_timeout_s: float = Field(default=120.0, gt=0)
    token: SecretStr | None = None
    orchestrator_url: Url | None = None

    @field_validator("token")
    @classmethod
    def _can_be_sent(cls, token: SecretStr | None) -> SecretStr | None:
        value = token.get_secret_value() if token is not None else "x"
        if not (value and value.isascii() and value.isprintable()) or " " in value:
            msg = "it must be printable ASCII characters without a space"
            raise ValueError(msg)
        return token

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings. Raises ``ByocKitError`` naming a variable that does not fit."""
        environment = os.environ if environment is None else environment
        given = {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}
        if TOKEN_FILE in given:
            given[_TOKEN] = _read_token(Path(given.pop(TOKEN_FILE)), is_set=_TOKEN in given)
        by_variable = variables()
        for unknown in given.keys() - by_variable.keys() - {PREVIEW}:
            logger.warning("%s is no setting; there are %s", unknown, ", ".join([*by_variable, TOKEN_FILE]))
        try:
            said = {by_variable[name]: given[name] for name in given.keys() & by_variable.keys()}
            return cls.model_validate({"contract": contract_of(environment), **said})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = PREFIX + str(first["loc"][0]).upper()
            shown = "" if name == _TOKEN else f"={first['input']}"
            msg = f"{name}{shown} does not fit: {first['msg'].removeprefix('Value error, ')}"
            raise ByocKitError(msg) from None


def _read_token(path: Path, *, is_set: bool) -> str:
    if is_set:
        msg = f"{_TOKEN} and {TOKEN_FILE} are both set; set one"
        raise ByocKitError(msg)
    try:
        return path.read_text().strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        msg = f"{TOKEN_FILE}: cannot read {path}: {reason}; name a file that holds the token"
        raise ByocKitError(msg) from None


def variables() -> dict[str, str]:
    """Return the name of each setting by that of its environment variable."""
    return {PREFIX + name.upper(): name for name in ServerSettings.model_fields}
