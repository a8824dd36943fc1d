"""``aiModels.json``: the models that an orchestrator advertises, parsed as go-livepeer does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError

from byoc_kit.bundle.dockerfile import PORT
from byoc_kit.errors import ByocKitError
from byoc_kit.server.settings import ServerSettings

_NEXT = "give a bundle's folder, or the aiModels.json of one"


def _json_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"must be a JSON number such as 3000, not {json.dumps(value)}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic asks for it
    return value


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        msg = f"must be an http:// or https:// URL, not {json.dumps(value)}"
        raise ValueError(msg)
    return value.rstrip("/")


class ModelEntry(BaseModel):
    """One entry of ``aiModels.json``; unknown keys are ignored.

    ``price_per_unit`` is in wei per compute unit. It must be a JSON number: a string stops a go-livepeer node.
    ``container`` is the name of the image, which go-livepeer itself ignores. An entry without a ``url`` is for a
    container that the ai-worker starts; here its URL is then that of ``byoc-kit serve``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    pipeline: Literal["live-video-to-video"]
    model_id: str = Field(min_length=1)
    price_per_unit: Annotated[int | float, BeforeValidator(_json_number), Field(ge=0, allow_inf_nan=False)]
    url: Annotated[str, AfterValidator(_http_url)] = f"http://localhost:{PORT}"
    warm: StrictBool = False
    container: str | None = None
    capacity: int = Field(default=1, ge=1, strict=True)
    token: str | None = None


def read_models(path: Path) -> list[ModelEntry]:
    """Read and check ``aiModels.json``. An entry without a token gets the value of ``BYOC_KIT_TOKEN``.

    Raises ByocKitError with one sentence for each error, which names the file, the entry's index and the field.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}; {_NEXT}"
        raise ByocKitError(msg) from error
    except ValueError as error:
        msg = f"{path}: is not JSON: {error}; {_NEXT}"
        raise ByocKitError(msg) from error
    if not isinstance(document, list):
        msg = f"{path}: must be a JSON array of entries, not {type(document).__name__}; {_NEXT}"
        raise ByocKitError(msg)
    entries = [_read_entry(f"{path}, entry {index}", entry) for index, entry in enumerate(document)]
    repeated = list(_repeated_model_ids(entries))
    if repeated:
        index, model_id = repeated[0]
        msg = f"{path}, entry {index}, model_id: {model_id!r} is declared by an earlier entry"
        raise ByocKitError(msg)
    token = ServerSettings.from_environment().token
    if token is None:
        return entries
    return [entry if entry.token else entry.model_copy(update={"token": token.get_secret_value()}) for entry in entries]


def _read_entry(where: str, entry: Any) -> ModelEntry:
    if not isinstance(entry, dict):
        msg = f"{where}: must be a JSON object, not {json.dumps(entry)}"
        raise ByocKitError(msg)
    try:
        return ModelEntry.model_validate(entry)
    except ValidationError as invalid:
        sentences = [f"{where}, {error['loc'][0]}: {_reason(error['msg'])}" for error in invalid.errors()]
        raise ByocKitError("\n".join(sentences)) from invalid


def _reason(message: str) -> str:
    reason = message.removeprefix("Value error, ")
    return reason[0].lower() + reason[1:]


def _repeated_model_ids(entries: list[ModelEntry]) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if entry.model_id in seen:
            yield index, entry.model_id
        seen.add(entry.model_id)
