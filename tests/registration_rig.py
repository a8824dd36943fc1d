"""What tests of the registration share: a container's streams in memory, and an orchestrator's faults on the way."""

import asyncio
from contextlib import asynccontextmanager

from aiohttp import web
from runner_rig import SECRET

from byoc_kit.core.capability import Capability
from byoc_kit.registration.live_runner import LiveRunner
from byoc_kit.registration.orchestrator import Orchestrator
from byoc_kit.registration.pace import Limits
from byoc_kit.registration.plan import Plan, Way
from byoc_kit.registration.report import Report
from byoc_kit.registration.streams import Seen
from byoc_kit.trickle.connection import client_session

DEADLINE_S = 20
INTERVAL_S = 0.05
TTL_S = 1.0
QUICK = Limits(least_s=0.02)
CAPABILITY = Capability(model_id="tint", capacity=2, version="1.4.0", price_usd_per_hour=0.5, price_per_unit=3000)


async def until(is_true):
    """Wait for what another task or thread does, and so has no event of its own."""
    async with asyncio.timeout(DEADLINE_S):
        while not (found := is_true()):  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    return found


def plan(url, way=Way.LIVE_RUNNER, **fields):
    given = {"secret": SECRET, "runner_url": "http://container:8000", "capability": CAPABILITY, **fields}
    return Plan(way, url, **given)


class Streams:
    """A container's streams, as a registration sees them; ``ended`` has the sessions that it was told to end."""

    def __init__(self, *session_ids, is_well=True):
        self.session_ids = list(session_ids)
        self.others = 0
        self.is_well = is_well
        self.ended = []

    async def look(self):
        return Seen(tuple(self.session_ids), len(self.session_ids) + self.others, is_well=self.is_well)

    def end(self, session_id):
        self.ended.append(session_id)
        if session_id in self.session_ids:
            self.session_ids.remove(session_id)


@asynccontextmanager
async def running(make, a_plan, streams, **options):
    """Run one contract's member while the body runs; gives it and its report."""
    report = Report(a_plan)
    async with client_session() as http:
        orchestrator = Orchestrator(http, a_plan.orchestrator_url, secrets={a_plan.secret, a_plan.token or ""})
        member = make(a_plan, orchestrator, streams, report, **options)
        task = asyncio.create_task(member.run())
        try:
            yield member, report
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()


def live_runner(a_plan, streams=None, **options):
    return running(LiveRunner, a_plan, streams or Streams(), limits=options.pop("limits", QUICK), **options)


class Wire:
    """Between a container and its orchestrator: passes requests on, or does what ``faults`` has in its turn.

    A fault is a coroutine function of the request that returns the answer, or None to pass the request on.
    """

    def __init__(self, http):
        self.http = http
        self.faults = []
        self.requests = []

    def route(self):
        return web.post("/{path:.*}", self._handle)

    async def _handle(self, request):
        body = await request.read()
        self.requests.append((request.path, request.headers.get("Authorization"), body))
        if self.faults:
            answer = await self.faults.pop(0)(request)
            if answer is not None:
                return answer
        headers = {"Authorization": request.headers["Authorization"]}
        async with self.http.post(request.path, data=body, headers=headers) as response:
            return web.Response(status=response.status, body=await response.read(), headers=_kept(response.headers))


def _kept(headers):
    return {"Content-Type": headers["Content-Type"]} if "Content-Type" in headers else {}


def answers(status, text, **options):
    """A fault: an answer that the orchestrator did not give."""

    async def answer(_):
        return web.Response(status=status, text=text, **options)

    return answer


async def passes(_):
    """No fault, for one request."""


async def breaks_off(request):
    """A fault: the connection is closed instead of an answer."""
    request.transport.abort()
    return web.Response()


class ServedContainer:
    """A container's routes, which demand a token."""

    def __init__(self):
        self.health = [503, 503, 200]
        self.status = {"status": "ok", "streams": []}
        self.stopped = []

    def routes(self):
        return [
            web.get("/health", self._health),
            web.get("/stream/status", self._status),
            web.post("/stream/stop", self._stop),
        ]

    async def _health(self, _):
        return web.json_response({}, status=self.health.pop(0) if len(self.health) > 1 else self.health[0])

    async def _status(self, request):
        return web.json_response(self.status, status=200 if self._may(request) else 401)

    async def _stop(self, request):
        self.stopped.append(request.headers["X-Stream-Id"])
        return web.json_response({}, status=200 if self._may(request) else 401)

    def _may(self, request):
        return request.headers.get("Authorization") == "Bearer t0ken"
