"""What is read of a Live Runner's request, and what its orchestrator may answer to a callback."""

import asyncio
import json
import logging

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from web_rig import served

from byoc_kit.core.params import ParamsError
from byoc_kit.server import live_runner
from byoc_kit.server.live_runner import CHANNELS, CallbackError, LiveSession, live_session
from byoc_kit.server.requests import StartRequest

TOKEN = "s3cret-of-the-session"  # noqa: S105 - not a real one
GIVEN = {
    "Livepeer-Session-Id": "session_1",
    "Livepeer-Runner-Route": "first",
    "Livepeer-Session-Token": TOKEN,
    "Livepeer-Session-Control": "https://orchestrator:8935/runner/first/session/session_1",
}
REQUEST = StartRequest(gateway_request_id="session_1")


def read(headers, orchestrator_url=None):
    return live_session(make_mocked_request("POST", "/stream/start", headers=CIMultiDict(headers)), orchestrator_url)


def test_the_headers_name_the_session():
    assert read(GIVEN).id == "session_1"
    assert read({name.lower(): value for name, value in GIVEN.items()}).id == "session_1"
    assert read({"X-Stream-Id": "other"}) is None


@pytest.mark.parametrize("name", list(GIVEN))
def test_a_header_that_is_missing_or_comes_twice_or_holds_anything_else_is_named(name):
    others = [(other, value) for other, value in GIVEN.items() if other != name]
    for values, reason in [
        ([], "is missing; an orchestrator sends each of Livepeer-Session-Id, Livepeer-Runner-Route, "),
        ([GIVEN[name], GIVEN[name]], "came 2 times; an orchestrator sends each of "),
        ([""], "must be printable ASCII characters without a space"),
        (["two words"], "must be printable ASCII characters without a space"),
        (["s3cr\u00e9t"], "must be printable ASCII characters without a space"),
        (["s3cret\x1b[31m"], "must be printable ASCII characters without a space"),
    ]:
        with pytest.raises(ParamsError) as refused:
            read([*others, *((name, value) for value in values)])
        assert refused.value.field == name
        assert refused.value.reason.startswith(reason)
        assert "s3cr" not in str(refused.value)


@pytest.mark.parametrize("control", ["ftp://orchestrator/x", "/runner/first", "http://", "http://h:99999/", "http://["])
def test_a_control_that_is_no_url_is_refused(control):
    with pytest.raises(ParamsError, match="must be an http or https URL"):
        read({**GIVEN, "Livepeer-Session-Control": control})


def test_an_id_that_is_too_long_for_a_label_is_refused():
    with pytest.raises(ParamsError, match="must be 255 characters at most"):
        read({**GIVEN, "Livepeer-Session-Id": "x" * 256})


@pytest.mark.parametrize(
    "url", ["https://orchestrator:8935", "https://ORCHESTRATOR:8935/", "https://me@orchestrator:8935/x"]
)
def test_only_the_configured_orchestrator_is_called_back(url):
    assert read(GIVEN, url).id == "session_1"


@pytest.mark.parametrize(
    "url", ["https://other:8935", "https://orchestrator:8936", "http://orchestrator:8935", "https://orchestrator"]
)
def test_a_control_that_leads_to_another_host_is_refused(url):
    with pytest.raises(ParamsError) as refused:
        read(GIVEN, url)
    assert refused.value.field == "Livepeer-Session-Control"
    said = "leads to https://orchestrator:8935, and BYOC_KIT_ORCHESTRATOR_URL to http"
    assert refused.value.reason.startswith(said)


class Orchestrator:
    """Answers callbacks by script, ``answers`` first and then as go-livepeer; ``dead`` has names that are used up."""

    def __init__(self):
        self.url = ""
        self.asked = []
        self.answers = []
        self.dead = set()

    def routes(self):
        return [
            web.route("*", "/s/{what}", self._callback),
            web.get("/trickle/{name}/next", self._next),
        ]

    def session(self):
        return LiveSession("session_1", f"{self.url}/s", TOKEN)

    async def _callback(self, request):
        self.asked.append((request.method, request.match_info["what"], await request.text()))
        assert request.headers["Livepeer-Session-Token"] == TOKEN
        if self.answers:
            answer = self.answers.pop(0)
            return await answer(request) if callable(answer) else answer
        if request.match_info["what"] == "stop":
            return web.Response(status=204)
        names = [one["name"] for one in json.loads(self.asked[-1][2])["channels"]]
        return web.json_response({"channels": [self.described(name) for name in names]})

    def described(self, name, **changes):
        url = f"{self.url}/trickle/{name}"
        public = f"https://public/ai/trickle/session_1-{name}"
        return {"name": name, "channel_name": f"session_1-{name}", "url": public, "internal_url": url, **changes}

    async def _next(self, request):
        is_dead = request.match_info["name"] in self.dead
        return web.Response(status=404) if is_dead else web.Response(text="0")


@pytest.fixture
async def orchestrator():
    it = Orchestrator()
    async with served(*it.routes()) as it.url:
        yield it


async def test_the_channels_are_made_once_and_the_client_gets_their_public_urls(orchestrator):
    session = orchestrator.session()
    start = await session.open(REQUEST)
    assert await session.open(REQUEST) is start
    [(method, path, body)] = orchestrator.asked
    assert (method, path) == ("POST", "channels")
    assert json.loads(body) == {"channels": [{"name": name, "mime_type": kind} for name, kind in CHANNELS.items()]}
    assert session.urls == {name: f"https://public/ai/trickle/session_1-{name}" for name in CHANNELS}
    assert start.model_dump(exclude_none=True, exclude={"gateway_request_id"}) == {
        "subscribe_url": f"{orchestrator.url}/trickle/in",
        "publish_url": f"{orchestrator.url}/trickle/out",
        "control_url": f"{orchestrator.url}/trickle/control",
        "events_url": f"{orchestrator.url}/trickle/events",
        "data_url": f"{orchestrator.url}/trickle/data",
    }


async def test_a_name_whose_channel_is_dead_is_replaced(orchestrator):
    orchestrator.dead = {"in", "in-2", "data"}
    session = orchestrator.session()
    start = await session.open(REQUEST)
    assert start.subscribe_url.endswith("/in-3")
    assert start.data_url.endswith("/data-2")
    assert start.publish_url.endswith("/out")
    assert session.urls["in"].endswith("session_1-in-3")
    asked = [[one["name"] for one in json.loads(body)["channels"]] for _, _, body in orchestrator.asked]
    assert asked == [list(CHANNELS), ["in-2", "data-2"], ["in-3"]]


async def test_a_session_whose_names_are_all_dead_is_given_up(orchestrator, monkeypatch):
    monkeypatch.setattr(live_runner, "_MOST_NAMES", 3)
    orchestrator.dead = {"in", "in-2", "in-3"}
    with pytest.raises(CallbackError, match="all 3 names of the channel in are used up; reserve another session"):
        await orchestrator.session().open(REQUEST)


def text(status, said):
    return web.Response(status=status, text=f"{said}\n", content_type="text/plain")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (text(401, "invalid authorization"), "HTTP 401: invalid authorization"),
        (text(404, "runner session not found"), "HTTP 404: runner session not found"),
        (text(500, "trickle server is required"), "HTTP 500: trickle server is required"),
        (text(500, f"bad token {TOKEN}"), "HTTP 500: bad token TOKEN"),
        (text(500, "two\nlines"), "HTTP 500: two lines"),
        (web.Response(status=500), "HTTP 500"),
        (text(400, "x" * 100_000), "HTTP 400: xxx"),
        (
            web.Response(status=502, text="<html><h1>Bad Gateway</h1>", content_type="text/html"),
            "HTTP 502 with a web page, so something else answers there",
        ),
        (web.Response(text="<html>", content_type="text/html"), "its answer has no list of them"),
        (web.json_response({"channels": []}), "its answer has no list of them"),
        (
            web.json_response({"channels": [{"name": "in", "url": "ftp://x", "internal_url": "x"}]}),
            "its answer has no list",
        ),
    ],
)
async def test_what_the_orchestrator_refuses_is_shown_in_a_sentence(orchestrator, answer, said):
    orchestrator.answers = [answer]
    with pytest.raises(CallbackError) as refused:
        await orchestrator.session().open(REQUEST)
    assert str(refused.value).startswith(f"the orchestrator did not make the session's channels: {said}")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 3000
    assert TOKEN not in str(refused.value)


async def test_a_redirect_is_not_followed_with_the_token(orchestrator):
    followed = []

    async def other(request):
        followed.append(request)
        return web.Response()

    async with served(web.route("*", "/{path:.*}", other)) as url:
        orchestrator.answers = [web.Response(status=307, headers={"Location": f"{url}/s/channels"})]
        with pytest.raises(CallbackError, match="HTTP 307, a redirect, which is not followed"):
            await orchestrator.session().open(REQUEST)
    assert not followed


async def test_an_orchestrator_that_hangs_or_is_down_is_given_up(orchestrator, monkeypatch):
    monkeypatch.setattr(live_runner, "_TIMEOUT", live_runner.aiohttp.ClientTimeout(total=0.05))

    async def hang(_):
        await asyncio.Event().wait()

    orchestrator.answers = [hang]
    with pytest.raises(CallbackError, match="session's channels: it has not answered within 5 s"):
        await orchestrator.session().open(REQUEST)
    with pytest.raises(CallbackError, match="Cannot connect to host"):
        await LiveSession("session_1", "http://127.0.0.1:1/s", TOKEN).open(REQUEST)


async def test_channels_that_the_container_cannot_reach_are_deleted_again(orchestrator):
    unreachable = {"internal_url": "http://127.0.0.1:1/trickle/in"}
    channels = [orchestrator.described(name, **(unreachable if name == "in" else {})) for name in CHANNELS]
    orchestrator.answers = [web.json_response({"channels": channels}), web.json_response({"deleted": []})]
    said = "the channel in cannot be reached at http://127.0.0.1:1/trickle/in: Cannot connect"
    with pytest.raises(CallbackError, match=said):
        await orchestrator.session().open(REQUEST)
    method, path, body = orchestrator.asked[-1]
    assert (method, path, json.loads(body)) == ("DELETE", "channels", {"channels": list(CHANNELS)})


@pytest.mark.parametrize("status", [204, 401, 404])
async def test_a_session_that_is_released_or_gone_is_not_asked_for_again(orchestrator, status):
    orchestrator.answers = [web.Response(status=status)]
    await orchestrator.session().release()
    assert orchestrator.asked == [("POST", "stop", "")]


async def test_a_release_that_fails_is_tried_again(orchestrator, monkeypatch):
    monkeypatch.setattr(live_runner, "_RELEASE_PAUSES_S", (0, 0))
    orchestrator.answers = [text(500, "busy"), web.Response(status=302)]
    await orchestrator.session().release()
    assert len(orchestrator.asked) == 3
    orchestrator.answers = [text(500, "one"), text(500, "two"), text(500, "three")]
    with pytest.raises(CallbackError, match="the orchestrator did not release the session: HTTP 500: three"):
        await orchestrator.session().release()


async def test_the_token_is_in_no_log(orchestrator, caplog):
    caplog.set_level(logging.DEBUG)
    orchestrator.answers = [text(500, TOKEN)]
    session = orchestrator.session()
    with pytest.raises(CallbackError):
        await session.open(REQUEST)
    await session.open(REQUEST)
    await session.release()
    assert TOKEN not in f"{caplog.text} {session!r} {session}"


def test_sessions_of_one_id_are_told_apart():
    assert read(GIVEN).is_same(read(GIVEN))
    assert not read(GIVEN).is_same(read({**GIVEN, "Livepeer-Session-Token": "another"}))
