"""The trickle protocol over HTTP, as go-livepeer's ``trickle/trickle_server.go`` answers it.

Two things that no client needs are left out: the ``100 Continue`` that keeps a waiting POST alive, and the change feed.
"""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from byoc_kit.system.concurrency import until_either
from byoc_kit.trickle.channels import (
    Channel,
    ChannelClosedError,
    Channels,
    Segment,
    SegmentFullError,
    SegmentMissingError,
)
from byoc_kit.trickle.protocol import (
    CLOSED_HEADER,
    EXPECT_HEADER,
    LATEST_HEADER,
    LATEST_WRITTEN,
    NEXT_WRITE,
    RESET_HEADER,
    SEGMENT_MISSING_STATUS,
    SEQ_HEADER,
)

BASE_PATH = "/ai/trickle/"

_CHANNEL_NAME = re.compile(r"[\w.~-]{1,255}", re.ASCII)
_TERMINATED = {CLOSED_HEADER: "terminated"}


def create_app(*, base_path: str = BASE_PATH, channels: Channels | None = None) -> FastAPI:
    """Return an app that is only a trickle server. It deletes idle channels while it runs, and all at its end."""
    channels = Channels() if channels is None else channels

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with channels.serving():
            yield

    app = FastAPI(title="byoc-kit trickle server", lifespan=lifespan)
    app.include_router(trickle_router(channels), prefix=base_path.rstrip("/"))
    return app


def trickle_router(channels: Channels) -> APIRouter:
    """Return the routes of these channels, to be included under a base path. The caller also runs ``serving``."""
    routes = _Routes(channels)
    router = APIRouter()
    router.add_api_route("/{name}", routes.create, methods=["POST"])
    router.add_api_route("/{name}", routes.delete, methods=["DELETE"])
    router.add_api_route("/{name}/next", routes.next, methods=["GET"])
    router.add_api_route("/{name}/{seq}", routes.publish, methods=["POST"])
    router.add_api_route("/{name}/{seq}", routes.subscribe, methods=["GET"])
    router.add_api_route("/{name}/{seq}", routes.delete_segment, methods=["DELETE"])
    router.add_api_route("/{path:path}", _refuse_path, methods=["GET", "POST", "DELETE"], include_in_schema=False)
    return router


class SegmentResponse(Response):
    """Streams one segment. Status and headers go out with its first byte.

    If the segment ends without a byte, the answer is 470 with the write head, or 200 with ``Lp-Trickle-Closed`` if its
    channel is closed. The response ends when the client leaves.
    """

    def __init__(self, channel: Channel, segment: Segment) -> None:
        self._channel = channel
        self._segment = segment
        self.status_code = 200
        self.background = None
        headers = {SEQ_HEADER: str(segment.seq), "Content-Type": channel.content_type}
        is_behind = segment.seq != channel.next_seq
        if is_behind:
            headers[LATEST_HEADER] = str(channel.next_seq)
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the segment ends or the client leaves, whichever comes first."""
        await until_either(self._answer(scope, receive, send), _disconnected(receive))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._stream(send)
        except ChannelClosedError:
            headers = {SEQ_HEADER: str(self._segment.seq), **_TERMINATED}
            await PlainTextResponse("Channel closed", headers=headers)(scope, receive, send)
        except SegmentMissingError as missing:
            await _segment_missing(missing)(scope, receive, send)

    async def _stream(self, send: Send) -> None:
        is_started = False
        async with aclosing(self._channel.stream(self._segment)) as chunks:
            async for chunk in chunks:
                if not is_started:
                    await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    is_started = True
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Routes:
    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def create(self, name: str, request: Request) -> Response:
        """Create a channel, whose content type is in ``Expect-Content``. One that exists is left as it is."""
        self._channels.create(_checked_name(name), request.headers.get(EXPECT_HEADER, "application/octet-stream"))
        return Response()

    async def delete(self, name: str) -> Response:
        """Close and remove a channel; its readers learn that it is terminated."""
        self._channels.delete(self._find(name).name)
        return Response()

    async def next(self, name: str) -> Response:
        """Answer the sequence number of the next write."""
        latest = str(self._find(name).next_seq)
        return PlainTextResponse(latest, headers={LATEST_HEADER: latest})

    async def publish(self, name: str, seq: str, request: Request) -> Response:
        """Append the body to a segment while it arrives, and close the segment at its end.

        If the segment is closed before (overwritten, deleted, reset, or with its channel), the request ends with 200;
        so end the requests of publishers that have connected ahead. A read error answers 500, and leaves the segment
        open.
        """
        channel = self._find(name)
        segment = channel.open_for_write(_parsed_seq(seq, lowest=NEXT_WRITE), reset=RESET_HEADER in request.headers)
        try:
            await until_either(_copy_body(request, channel, segment), segment.wait_closed())
        except ClientDisconnect:
            return PlainTextResponse("Server error", status_code=500)
        except SegmentFullError:
            return PlainTextResponse("Segment too large", status_code=413)
        channel.finish(segment)
        headers = {SEQ_HEADER: str(segment.seq), **(_TERMINATED if channel.is_closed else {})}
        return Response(headers=headers)

    async def subscribe(self, name: str, seq: str) -> Response:
        """Stream a segment. If it is the next one, wait for it."""
        channel = self._find(name)
        try:
            return SegmentResponse(channel, channel.open_for_read(_parsed_seq(seq, lowest=LATEST_WRITTEN)))
        except SegmentMissingError as missing:
            return _segment_missing(missing)

    async def delete_segment(self, name: str, seq: str) -> Response:
        """Close one segment of the ring."""
        try:
            self._find(name).close_segment(_parsed_seq(seq, lowest=0))
        except SegmentMissingError as missing:
            raise HTTPException(400, f"nonexistent segment {missing.seq}") from missing
        return Response()

    def _find(self, name: str) -> Channel:
        channel = self._channels.find(_checked_name(name))
        if channel is None:
            raise HTTPException(404, f"no channel {name!r}")
        return channel


async def _refuse_path(path: str) -> None:
    raise HTTPException(400, f"{path!r} is not <channel>, <channel>/<seq> or <channel>/next")


async def _copy_body(request: Request, channel: Channel, segment: Segment) -> None:
    async for data in request.stream():
        if data:
            channel.append(segment, data)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _segment_missing(missing: SegmentMissingError) -> Response:
    headers = {LATEST_HEADER: str(missing.latest), SEQ_HEADER: str(missing.seq)}
    return PlainTextResponse("Entry not found", status_code=SEGMENT_MISSING_STATUS, headers=headers)


def _checked_name(name: str) -> str:
    if not _CHANNEL_NAME.fullmatch(name):
        raise HTTPException(400, f"{name!r} is not a channel name: use letters, digits and . _ ~ -")
    return name


def _parsed_seq(seq: str, *, lowest: int) -> int:
    if not re.fullmatch(r"-?[0-9]{1,15}", seq) or int(seq) < lowest:
        raise HTTPException(400, f"{seq!r} is not a segment number")
    return int(seq)
