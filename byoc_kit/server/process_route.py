"""``POST /process``: one picture in, what ``process_frame`` makes of it out.

It is the container's app for a Live Runner of mode ``single-shot``, and needs no more than curl.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from byoc_kit.core.params import ParamsError
from byoc_kit.errors import ByocKitError
from byoc_kit.media.demux import MediaError
from byoc_kit.media.still import MEDIA_TYPES, TooManyPixelsError, UnknownFormatError, UnwritableError
from byoc_kit.server.one_picture import HookError, HungHookError
from byoc_kit.server.requests import BodyTooLargeError, parse_params, parsed, read_body, received, refused
from byoc_kit.server.sessions import BusyError, Sessions

_PICTURE, _PARAMS = "picture", "params"
_CHUNK = 1 << 16
# The first one that an error is of.
_STATUSES: dict[type[ByocKitError], int] = {
    BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    TooManyPixelsError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnknownFormatError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    MediaError: HTTPStatus.BAD_REQUEST,
    ParamsError: HTTPStatus.BAD_REQUEST,
    BusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    HungHookError: HTTPStatus.GATEWAY_TIMEOUT,
    HookError: HTTPStatus.INTERNAL_SERVER_ERROR,
    UnwritableError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


async def process_picture(request: web.Request, sessions: Sessions) -> web.Response:
    """Answer the processed picture, 204 where ``process_frame`` drops it, or a refusal that says why."""
    choose = format_chooser(",".join(request.headers.getall(hdrs.ACCEPT, [])))
    if choose is None:
        types = ", ".join(MEDIA_TYPES.values())
        return refused(request, HTTPStatus.NOT_ACCEPTABLE, f"pictures are written as {types}; accept one of them")
    try:
        asked = await _read(request)
        written = await sessions.process_picture(asked.picture, asked.changes, choose)
    except tuple(_STATUSES) as error:
        status = next(status for kind, status in _STATUSES.items() if isinstance(error, kind))
        if isinstance(error, ParamsError):
            return refused(request, status, error.reason, field=error.field)
        return refused(request, status, str(error), field=_PICTURE if isinstance(error, MediaError) else None)
    if written is None:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    return web.Response(body=written.data, content_type=MEDIA_TYPES[written.format])


def format_chooser(accept: str) -> Callable[[str], str] | None:
    """Return what chooses a format for a picture by its own, as ``Accept`` asks; ``None`` if it asks for another.

    That is the one that is liked best, and the picture's own where it is liked as well as others.
    See https://www.rfc-editor.org/rfc/rfc9110#field.accept.
    """
    liked = dict(map(_range_and_quality, filter(None, map(str.strip, accept.split(","))))) or {"*/*": 1.0}
    qualities = {
        name: next((liked[one] for one in (media_type, "image/*", "*/*") if one in liked), 0.0)
        for name, media_type in MEDIA_TYPES.items()
    }
    if not any(qualities.values()):
        return None
    return lambda own: max(qualities, key=lambda name: (qualities[name], name == own))


def _range_and_quality(text: str) -> tuple[str, float]:
    media_range, *parameters = (part.strip().lower() for part in text.split(";"))
    given = next((part.removeprefix("q=") for part in parameters if part.startswith("q=")), "1")
    try:
        return media_range, float(given)
    except ValueError:
        return media_range, 0.0


class _Asked(NamedTuple):
    picture: bytes
    changes: dict[str, Any]


async def _read(request: web.Request) -> _Asked:
    """Read the picture and its parameters, which may be in the query, in a form, or in both.

    Raises ``ParamsError`` naming the part that is missing or does not fit.
    """
    if request.content_type.startswith("multipart/"):
        form = await received(request, _read_form(request))
    else:
        form = {_PICTURE: await read_body(request)}
    if not form.get(_PICTURE):
        reason = "is missing; send the bytes of a JPEG, PNG or WebP"
        raise ParamsError(_PICTURE, reason)
    query = request.query.get(_PARAMS, "").encode()
    in_query, in_form = [await parsed(one, parse_params) if one else {} for one in (query, form.get(_PARAMS))]
    return _Asked(form[_PICTURE], in_query | in_form)


async def _read_form(request: web.Request) -> dict[str, bytes]:
    """Return the parts of a form: ``params``, and the picture under whatever other name it has.

    Raises ``ParamsError`` for parts that nobody asked for, and what aiohttp raises for a body that is too large.
    """
    form: dict[str, bytes] = {}
    try:
        async for part in await request.multipart():
            name = _PARAMS if getattr(part, "name", None) == _PARAMS else _PICTURE
            if name in form or not isinstance(part, BodyPartReader):
                reason = "is more than one part of the form; send one picture, and its parameters as JSON"
                raise ParamsError(name, reason)
            form[name] = await _read_part(part, request.client_max_size - sum(map(len, form.values())))
    except (ValueError, AssertionError, RuntimeError, HttpProcessingError) as error:  # aiohttp's, for what is no form
        reason = f"is no form ({error})"
        raise ParamsError("body", reason) from None  # noqa: EM101  # its name, no message
    return form


async def _read_part(part: BodyPartReader, most: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(_CHUNK):
        data += chunk
        if len(data) > most:
            raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(data))
    return bytes(data)
