"""What the orchestrator sends, checked: every refusal names the field."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, TypeAdapter, ValidationError

from byoc_kit.params import ParamsError, params_error

_HTTP_URL = TypeAdapter(AnyHttpUrl)


def _is_http_url(text: str) -> str:
    _HTTP_URL.validate_python(text)
    return text


Url = Annotated[str, AfterValidator(_is_http_url)]


class StartRequest(BaseModel):
    """The body of ``/stream/start`` and ``/live-video-to-video``; go-livepeer may add keys, which are ignored."""

    gateway_request_id: str
    control_url: Url | None = None
    events_url: Url | None = None
    subscribe_url: Url | None = None
    publish_url: Url | None = None
    data_url: Url | None = None
    stream_id: str | None = None
    params: Any = None


def parse_start(body: bytes) -> StartRequest:
    """Parse a start request. Raises :class:`ParamsError` naming the field."""
    content = parse_json(body)
    if not isinstance(content, dict):
        reason = "must be a JSON object"
        raise ParamsError("body", reason)
    try:
        return StartRequest.model_validate(content)
    except ValidationError as error:
        raise params_error(error) from None


def parse_json(body: bytes) -> Any:
    """Parse a JSON body. Raises :class:`ParamsError` where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = f"is no JSON ({error})"
        raise ParamsError("body", reason) from None


def named_stream(body: bytes) -> str | None:
    """Return the stream that the body of a stop names, as far as it is JSON and names one."""
    try:
        content = parse_json(body)
    except ParamsError:
        return None
    named = content.get("stream_id") if isinstance(content, dict) else None
    return named if isinstance(named, str) and named else None
