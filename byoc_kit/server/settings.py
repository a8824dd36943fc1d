"""What an operator may set, through environment variables: ``BYOC_KIT_`` and the setting's name in capitals."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator

from byoc_kit.core.bundle_reader import Bundle
from byoc_kit.core.capability import plain_url
from byoc_kit.errors import ByocKitError
from byoc_kit.media.codecs import MediaSettings
from byoc_kit.registration.plan import Plan, Way
from byoc_kit.remote.store import CACHE
from byoc_kit.server.health import Contract, contract_of
from byoc_kit.system.addresses import without_secrets

logger = logging.getLogger(__name__)

PREFIX = "BYOC_KIT_"
_PREVIEW = f"{PREFIX}PREVIEW"
"""What the notebook's preview reads; the container has no use for it."""
REGISTER_AS = f"{PREFIX}REGISTER_AS"
_OTHERS = {_PREVIEW, CACHE}
"""Variables that are read elsewhere."""
_SECRETS = (f"{PREFIX}TOKEN", f"{PREFIX}ORCHESTRATOR_SECRET")
SECRET_FILES = {f"{name}_FILE": name for name in _SECRETS}
"""The variables that name a file which has a secret, and those that would have it themselves."""

_LONGEST_RUNNER_ID = 64


def _plain(url: str) -> str:
    try:
        return plain_url(url.removesuffix("/"))
    except ValueError:  # its text repeats the URL, which may have a password
        msg = "it must be as https://host:8935 is: http or https, without a user or a query"
        raise ValueError(msg) from None


PlainUrl = Annotated[str, AfterValidator(_plain)]


class ServerSettings(MediaSettings):
    """Settings of the container, besides those of ``MediaSettings``.

    ``contract``: which words ``/health`` uses; by default those of whom the environment shows. ``on_error``: what goes
    out for a frame that failed: the original, the last good one, or none. ``/health`` says error after
    ``max_failures`` frames in a row that fail, or cannot be encoded, and where ``process_frame``, ``process_audio`` or
    a hook of a stream has not returned for ``stall_timeout_s``; and is well again when the model is. A stream's first
    ``process_frame`` may take ``first_frame_timeout_s``, where that is longer: it may compile the model. ``token``:
    what callers must send, if it is set. ``orchestrator_url``: where the orchestrator is, as this container reaches it.
    A session of a Live Runner is released after ``idle_timeout_s`` without input.

    ``register_as``: how the container joins the network by itself. The orchestrator, whose secret is
    ``orchestrator_secret``, reaches it at ``runner_url``; ``runner_id`` and ``runner_mode`` are for a Live Runner. A
    secret may be in a file instead, which ``BYOC_KIT_TOKEN_FILE`` and ``BYOC_KIT_ORCHESTRATOR_SECRET_FILE`` name.
    """

    contract: Contract = Contract.BYOC
    on_error: Literal["passthrough", "last", "drop"] = "passthrough"
    max_failures: int = Field(default=100, ge=1)
    stall_timeout_s: float = Field(default=30.0, gt=0)
    first_frame_timeout_s: float = Field(default=120.0, gt=0)
    token: SecretStr | None = None
    register_as: Way | None = None
    orchestrator_url: PlainUrl | None = None
    orchestrator_secret: SecretStr | None = None
    runner_url: PlainUrl | None = None
    runner_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+$", max_length=_LONGEST_RUNNER_ID)
    runner_mode: Literal["persistent", "single-shot"] = "persistent"
    idle_timeout_s: float = Field(default=60.0, gt=0)

    @field_validator("token", "orchestrator_secret")
    @classmethod
    def _can_be_sent(cls, secret: SecretStr | None) -> SecretStr | None:
        value = secret.get_secret_value() if secret is not None else "x"
        if not (value and value.isascii() and value.isprintable()) or " " in value:
            msg = "it must be printable ASCII characters without a space"
            raise ValueError(msg)
        return secret

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings. Raises ``ByocKitError`` naming a variable that does not fit."""
        environment = os.environ if environment is None else environment
        given = {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}
        for file, secret in SECRET_FILES.items():
            if file in given:
                given[secret] = _read_secret(file, Path(given.pop(file)), is_set=secret in given)
        by_variable = variables()
        for unknown in given.keys() - by_variable.keys() - _OTHERS:
            logger.warning("%s is no setting; there are %s", unknown, ", ".join([*by_variable, *SECRET_FILES]))
        try:
            said = {by_variable[name]: given[name] for name in given.keys() & by_variable.keys()}
            return cls.model_validate({"contract": contract_of(environment), **said})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = PREFIX + str(first["loc"][0]).upper()
            shown = "" if name in _SECRETS else f"={without_secrets(str(first['input']))}"
            msg = f"{name}{shown} does not fit: {first['msg'].removeprefix('Value error, ')}"
            raise ByocKitError(msg) from None

    def registration_plan(self, bundle: Bundle) -> Plan | None:
        """Return how the container is to join the network; ``None`` if it is not to.

        Raises ``ByocKitError`` naming a setting that this takes and that is not there.
        """
        if self.register_as is None:
            return None
        for name, value, what in (
            ("ORCHESTRATOR_URL", self.orchestrator_url, "the orchestrator's address"),
            ("RUNNER_URL", self.runner_url, "the address at which the orchestrator reaches this container"),
            ("ORCHESTRATOR_SECRET", self.orchestrator_secret, "what the orchestrator has as -orchSecret"),
        ):
            if value is None:
                msg = f"{REGISTER_AS}={self.register_as} needs {PREFIX}{name}: {what}"
                raise ByocKitError(msg)
        return Plan(
            self.register_as,
            str(self.orchestrator_url),
            str(self.runner_url),
            bundle.capability,
            secret=_plainly(self.orchestrator_secret) or "",
            token=_plainly(self.token),
            runner_id=self.runner_id or "",
            mode=self.runner_mode,
            params_sha256=bundle.params_sha256,
        )


def _plainly(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _read_secret(file: str, path: Path, *, is_set: bool) -> str:
    """Return the text of the file that a variable names; ``is_set`` where another has the secret itself."""
    if is_set:
        msg = f"{SECRET_FILES[file]} and {file} are both set; set one"
        raise ByocKitError(msg)
    try:
        return path.read_text().strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        msg = f"{file}: cannot read {path}: {reason}; name a file that holds the secret"
        raise ByocKitError(msg) from None


def variables() -> dict[str, str]:
    """Return the name of each setting by that of its environment variable."""
    return {PREFIX + name.upper(): name for name in ServerSettings.model_fields}
