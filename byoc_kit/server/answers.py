"""Refusals, in the form that each route's caller reads."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aiohttp import web

AI_WORKER_ROUTE = "/live-video-to-video"
_AI_WORKER_KNOWS = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.UNPROCESSABLE_ENTITY}


def refused(request: web.Request, status: int, message: str, *, field: str | None = None) -> web.Response:
    """Return a refusal; ``field`` names what does not fit.

    The ai-worker reads ``detail.msg``, and takes a status that it does not know for a success, so that 503 becomes 500.
    """
    said = f"{field}: {message}" if field else message
    if request.path == AI_WORKER_ROUTE:
        if status not in _AI_WORKER_KNOWS:
            is_of_server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
            status = HTTPStatus.INTERNAL_SERVER_ERROR if is_of_server else HTTPStatus.BAD_REQUEST
        return web.json_response({"detail": {"msg": said}}, status=status)
    content: dict[str, Any] = {"status": "error", "message": said} | ({"field": field} if field else {})
    return web.json_response(content, status=status)
