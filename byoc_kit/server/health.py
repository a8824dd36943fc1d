"""``/health``, in the words of the documented contract, of go-livepeer's ai-worker, or of its Live Runner registry."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from aiohttp import web

from byoc_kit.core.capability import PIPELINE
from byoc_kit.remote.progress import progress_text


class Contract(StrEnum):
    """Who polls ``/health``."""

    BYOC = "byoc"
    AI_WORKER = "ai-worker"
    LIVE_RUNNER = "live-runner"


def contract_of(environment: Mapping[str, str]) -> Contract:
    """Return the contract that the environment shows, where no setting says one.

    The ai-worker sets ``PIPELINE`` and ``MODEL_ID`` for the containers that it starts, and nobody else sets both so.
    """
    if environment.get("PIPELINE") == PIPELINE and environment.get("MODEL_ID"):
        return Contract.AI_WORKER
    if environment.get("BYOC_KIT_REGISTER_AS") == Contract.LIVE_RUNNER:
        return Contract.LIVE_RUNNER
    return Contract.BYOC


def health_response(
    contract: Contract, *, is_ready: bool, error: str | None = None, is_streaming: bool = False
) -> web.Response:
    """Return the answer to ``GET /health``.

    ``ai-worker``: always 200, with a word of its own; only ``IDLE`` frees its slot after a stream. The others: 200 and
    exactly ``{"status": "ok"}`` when ready, else 503. While weights are fetched, the detail says how far that is.
    """
    if contract is Contract.AI_WORKER:
        word = "ERROR" if error else "LOADING" if not is_ready else "OK" if is_streaming else "IDLE"
        return web.json_response({"status": word})
    if error:
        return web.json_response({"status": "error", "detail": error}, status=503)
    if not is_ready:
        detail = {"detail": progress} if (progress := progress_text()) else {}
        return web.json_response({"status": "loading", **detail}, status=503)
    return web.json_response({"status": "ok"})
