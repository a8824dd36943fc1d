"""``/health``, in the words of the documented contract or in those of go-livepeer's ai-worker."""

from __future__ import annotations

from enum import StrEnum

from aiohttp import web


class Contract(StrEnum):
    """Who polls ``/health``."""

    BYOC = "byoc"
    AI_WORKER = "ai-worker"


def health_response(
    contract: Contract, *, is_ready: bool, error: str | None = None, is_streaming: bool = False
) -> web.Response:
    """Return the answer to ``GET /health``.

    ``byoc``: 200 and exactly ``{"status": "ok"}`` when ready, else 503. ``ai-worker``: always 200, with a word of its
    own; only ``IDLE`` frees its slot after a stream.
    """
    if contract is Contract.AI_WORKER:
        word = "ERROR" if error else "LOADING" if not is_ready else "OK" if is_streaming else "IDLE"
        return web.json_response({"status": word})
    if error:
        return web.json_response({"status": "error", "detail": error}, status=503)
    if not is_ready:
        return web.json_response({"status": "loading"}, status=503)
    return web.json_response({"status": "ok"})
