"""Opens the source that a person names with a path, a pattern or a URL. It asks a web address what it is."""

from __future__ import annotations

import asyncio
import json
import os
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byoc_kit.media.clip import Clip
from byoc_kit.media.demux import MediaError
from byoc_kit.sources.image_folder import ImageFolder
from byoc_kit.sources.network_video import NetworkVideo
from byoc_kit.sources.source import ClipSource, LiveSource
from byoc_kit.sources.synthetic import Synthetic
from byoc_kit.sources.trickle_video import TrickleVideo
from byoc_kit.system.addresses import without_secrets
from byoc_kit.system.concurrency import LoopThread

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

ANSWER_TIMEOUT_S = 5.0

_WHAT_TO_GIVE = "give the path of a video file, a folder of images, a URL, or synthetic:bars"
_WEB = {"http", "https"}
_LIVE = {"rtsp", "rtsps", "rtmp", "rtmps", "udp", "srt"}
_MAX_STATUS_BYTES = 1 << 20


@dataclass(frozen=True)
class _Answer:
    """What a web address is: a byoc-kit server, if it has a ``server_status``; a trickle channel; or something else."""

    server_status: dict[str, Any] | None
    is_channel: bool


def open_source(source: str | Path) -> ClipSource | LiveSource:
    """Return the source for a path, a URL or the name of a pattern.

    A video file, a folder of images, ``synthetic`` and ``synthetic:<pattern>`` give a ``ClipSource``; ``rtsp``,
    ``rtmp``, ``udp``, ``srt`` and ``http(s)`` URLs give a ``LiveSource``. An ``http`` URL may be that of a byoc-kit
    server, whose input is then played, of a trickle channel, or of any network video. Raises ``MediaError`` if there is
    nothing to play.
    """
    if isinstance(source, Path):
        return _open_path(source)
    kind, _, pattern = source.partition(":")
    if kind == "synthetic":
        return Synthetic(pattern) if pattern else Synthetic()
    url = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", source)
    if not source:
        msg = f"there is no clip to play; {_WHAT_TO_GIVE}"
        raise MediaError(msg)
    if url is None:
        return _open_path(Path(source))
    scheme = url[1].lower()
    if scheme in _WEB:
        return _open_web(source)
    if scheme in _LIVE:
        return NetworkVideo(source)
    msg = f"{scheme}:// cannot be played; give a URL with {', '.join(sorted(_WEB | _LIVE))}, or a path"
    raise MediaError(msg)


def _open_path(path: Path) -> ClipSource:
    path = path.expanduser()
    if path.is_dir():
        return ImageFolder(path)
    if not path.exists():
        msg = f"there is no clip {path}; {_WHAT_TO_GIVE}"
        raise MediaError(msg)
    return Clip(path)


def _open_web(url: str) -> LiveSource:
    """Return the source behind an ``http`` or ``https`` URL.

    For a byoc-kit server, this is the input of its newest stream; for a trickle channel, its video; for anything else,
    a network video. Raises ``MediaError`` if nothing answers within 5 s, and for a server without a stream.
    """
    answer = _what_is_at(url)
    if answer.is_channel:
        return TrickleVideo(url.rstrip("/"), name=without_secrets(url))
    if answer.server_status is None:
        return NetworkVideo(url, is_paced=True)
    return _input_of_newest_stream(url, answer.server_status["streams"])


def _input_of_newest_stream(url: str, streams: list[dict[str, Any]]) -> LiveSource:
    server = without_secrets(url).rstrip("/")
    if not streams:
        msg = f"no stream runs on {server}; start one, then choose the server again"
        raise MediaError(msg)
    newest = min(streams, key=lambda stream: float(stream.get("elapsed_s", 0)))
    channel = newest.get("subscribe_url")
    if not isinstance(channel, str):
        msg = f"the stream on {server} does not name its input; give the URL of its trickle channel instead"
        raise MediaError(msg)
    answer = _what_is_at(channel)
    if not answer.is_channel:
        msg = f"the input of {server}, {channel}, is no trickle channel any more; start a stream, then choose it again"
        raise MediaError(msg)
    return TrickleVideo(channel.rstrip("/"), name=f"the input of {server}")


def _what_is_at(url: str) -> _Answer:
    """Ask the URL, on a thread with its own loop: a notebook's cell already runs on one. Raises ``MediaError``."""
    with LoopThread("source-ask") as loop:  # its end is not awaited: a name may still be looked up
        return loop.run(_asked(url))


async def _asked(url: str) -> _Answer:
    import aiohttp
    from yarl import URL

    from byoc_kit.trickle.connection import client_session

    name = without_secrets(url)
    try:
        base = URL(url).with_query(None).with_fragment(None)
        async with asyncio.timeout(ANSWER_TIMEOUT_S), client_session() as http:
            return _Answer(*await asyncio.gather(_server_status(base, http), _is_channel(base, http)))
    except TimeoutError:
        msg = f"{name} did not answer within {ANSWER_TIMEOUT_S:.0f} s; check that it runs and can be reached from here"
        raise MediaError(msg) from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        msg = f"{name} cannot be reached ({_why(error)}); check that it runs, and that the URL is right"
        raise MediaError(msg) from None


def _why(error: Exception) -> str:
    """Return why a URL cannot be reached, without the words of sockets and TLS."""
    import aiohttp

    kinds: dict[type[Exception], str] = {
        aiohttp.ClientConnectorDNSError: "no host has this name",
        aiohttp.ClientConnectorCertificateError: "its certificate is not trusted",
        aiohttp.ClientSSLError: "it does not speak https",
        aiohttp.ServerDisconnectedError: "it ended the connection without an answer",
        aiohttp.ClientResponseError: "its answer is not HTTP",
        OSError: os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else "no connection",
    }
    return next((said for kind, said in kinds.items() if isinstance(error, kind)), "it is no URL")


async def _server_status(url: URL, http: aiohttp.ClientSession) -> dict[str, Any] | None:
    async with http.get(url / "stream" / "status") as answer:
        # Some servers answer every path with an endless stream.
        if answer.status != HTTPStatus.OK or answer.content_type != "application/json":
            return None
        try:
            content = json.loads(await answer.content.read(_MAX_STATUS_BYTES))
        except ValueError:
            return None
    is_ours = isinstance(content, dict) and isinstance(content.get("streams"), list) and "capacity" in content
    return content if is_ours else None


async def _is_channel(url: URL, http: aiohttp.ClientSession) -> bool:
    from byoc_kit.trickle.protocol import LATEST_HEADER

    async with http.get(url / "next") as answer:
        return answer.status == HTTPStatus.OK and LATEST_HEADER in answer.headers
