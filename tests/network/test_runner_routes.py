"""The Live Runner routes over HTTP. Many cases are those of go-livepeer's ``server/ai_http_test.go``."""

import asyncio

import aiohttp
import pytest
from runner_rig import SECRET, ask, orchestrating
from trickle_rig import until

from byoc_kit.network.orchestrator import Orchestrator
from byoc_kit.network.routes import serve_orchestrator

TOKEN = "Livepeer-Session-Token"  # noqa: S105 - a header's name


@pytest.fixture
async def orchestrator():
    async with orchestrating() as pair:
        yield pair


@pytest.fixture
def live(orchestrator):
    return orchestrator[0]


@pytest.fixture
def http(orchestrator):
    return orchestrator[1]


@pytest.fixture
async def register(http, app):
    """Register the container as ``runner-1`` and return its answer."""

    async def register(**fields):
        body = {"runner_id": "runner-1", "runner_url": app.url, "app": "live-video-to-video/scope", **fields}
        status, answer = await ask(http, "POST", "/runners/heartbeat", json=body, headers={"Authorization": SECRET})
        assert status == 200
        return answer

    return register


@pytest.fixture
async def session(http, register, live):
    """A reserved session: its id, the path of its callbacks, and the header that they want."""
    await register()
    _, answer = await ask(http, "POST", "/apps/runner-1/session")
    session_id = answer["session_id"]
    token = live.registry.target("runner-1", session_id, "").token
    return session_id, f"/runner/runner-1/session/{session_id}", {TOKEN: token}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/discovery"),
        ("POST", "/runners/heartbeat"),
        ("POST", "/runners/x/unregister"),
        ("POST", "/registerLiveRunners"),
        ("POST", "/apps/x/session"),
        ("POST", "/apps/x/session/y/stop"),
        ("GET", "/apps/x/session/y/app/z"),
        ("GET", "/apps/x/app/z"),
        ("POST", "/runner/x/session/y/channels"),
        ("DELETE", "/runner/x/session/y/channels"),
        ("POST", "/runner/x/session/y/proxy"),
        ("POST", "/runner/x/session/y/stop"),
    ],
)
async def test_without_live_runners_each_route_says_so(method, path, register_nothing):
    status, body = await ask(register_nothing, method, path, data=b"{}")
    assert (status, body) == (404, "live runners are not supported\n")


@pytest.fixture
async def register_nothing():
    async with serve_orchestrator(Orchestrator([])) as url, aiohttp.ClientSession(url) as http:
        yield http


async def test_a_heartbeat_is_answered_in_json_and_its_channel_exists(http, register):
    answer = await register(capacity=3)
    base = str(http._base_url)
    assert answer["orchestrator"] == base
    assert answer["o2r"]["url"].startswith(f"{base}/ai/trickle/runner-1-")
    assert await ask(http, "GET", f"/ai/trickle/{answer['o2r']['channel_name']}/next") == (200, "0")


async def test_an_error_is_a_text_with_a_newline_and_nothing_has_cors(http):
    async with http.post("/runners/heartbeat", data=b"{}", headers={"Origin": "http://page"}) as response:
        assert response.status == 400
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert await response.text() == "invalid runner_url\n"
        assert not [name for name in response.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "EOF\n"),
        (b"{", "invalid JSON"),
        (b'{"capacity":"x"}', "json: cannot unmarshal string into Go struct field capacity of type int\n"),
        (b'{"runner_url":"http://h","app":"a","metadata":"\xff"}', "metadata must not contain Unicode"),
    ],
)
async def test_a_body_that_go_refuses_is_a_400(http, body, message):
    status, text = await ask(http, "POST", "/runners/heartbeat", data=body, headers={"Authorization": SECRET})
    assert status == 400
    assert text.startswith(message)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/runners/heartbeat"), ("POST", "/discovery"), ("GET", "/apps/runner-1/session")]
)
async def test_another_method_is_a_405_in_text(http, method, path):
    assert await ask(http, method, path) == (405, "Method Not Allowed\n")


async def test_an_unknown_path_is_a_404_in_text(http):
    status, text = await ask(http, "GET", "/nothing")
    assert (status, text[-1]) == (404, "\n")


async def test_what_discovery_shows_is_proxied(http, register, app):
    await register(capacity=2, metadata='{"region":"us-west"}', version="1.2.3")
    await ask(http, "POST", "/apps/runner-1/session")
    status, answer = await ask(http, "GET", "/discovery")
    base = str(http._base_url)
    assert (status, answer) == (
        200,
        [
            {
                "address": base,
                "runners": [
                    {
                        "url": f"{base}/apps/runner-1/session",
                        "app": "live-video-to-video/scope",
                        "version": "1.2.3",
                        "metadata": '{"region":"us-west"}',
                        "mode": "persistent",
                        "capacity": 2,
                        "capacity_used": 1,
                        "capacity_available": 1,
                    }
                ],
            }
        ],
    )


async def test_discovery_of_nobody_has_no_runners(http):
    _, [entry] = await ask(http, "GET", "/discovery")
    assert list(entry) == ["address"]


async def test_clients_and_containers_get_urls_of_their_own(app):
    async with orchestrating(public_url="https://public.example.com/", runner_url_base="http://orch:8935") as (
        live,
        http,
    ):
        body = {"runner_id": "r", "runner_url": app.url, "app": "a"}
        _, answer = await ask(http, "POST", "/runners/heartbeat", json=body, headers={"Authorization": SECRET})
        assert answer["orchestrator"] == "http://orch:8935"
        assert answer["o2r"]["url"].startswith("http://orch:8935/ai/trickle/r-")
        _, reserved = await ask(http, "POST", "/apps/r/session")
        session_id = reserved["session_id"]
        assert reserved["app_url"] == f"https://public.example.com/apps/r/session/{session_id}/app"
        await ask(http, "GET", f"/apps/r/session/{session_id}/app/x")
        assert app.requests[0].headers["Livepeer-Session-Control"] == f"http://orch:8935/runner/r/session/{session_id}"
        headers = {TOKEN: live.registry.target("r", session_id, "").token}
        _, made = await ask(
            http,
            "POST",
            f"/runner/r/session/{session_id}/channels",
            json={"channels": [{"name": "in"}]},
            headers=headers,
        )
        assert made["channels"][0]["url"] == f"https://public.example.com/ai/trickle/{session_id}-in"
        assert made["channels"][0]["internal_url"] == f"http://orch:8935/ai/trickle/{session_id}-in"


async def test_a_session_is_reserved_and_stopped_again_and_again(http, register):
    await register()
    status, answer = await ask(http, "POST", "/apps/runner-1/session", data=b"whatever")
    control_url = f"{http._base_url}/apps/runner-1/session/{answer['session_id']}"
    assert status == 200
    assert answer == {
        "session_id": answer["session_id"],
        "app_url": f"{control_url}/app",
        "control_url": control_url,
    }
    assert await ask(http, "POST", "/apps/runner-1/session") == (503, "no capacity available for runner\n")
    for _ in range(2):
        assert await ask(http, "POST", f"{control_url}/stop") == (204, "")
    assert (await ask(http, "POST", "/apps/runner-1/session"))[0] == 200
    assert await ask(http, "POST", "/apps/nobody/session/x/stop") == (404, "runner not found\n")


async def test_only_persistent_runners_have_sessions(http, register, live):
    await register(mode="single-shot")
    assert await ask(http, "POST", "/apps/runner-1/session") == (400, "only persistent runners have sessions\n")
    assert live.registry.discovered()[0]["capacity_used"] == 0


@pytest.mark.parametrize("call", ["channels", "proxy", "stop"])
async def test_a_callback_wants_the_sessions_token(http, session, call):
    _, control, _ = session
    for headers in ({}, {TOKEN: "wrong"}):
        asked = await ask(http, "POST", f"{control}/{call}", data=b"not JSON", headers=headers)
        assert asked == (401, "invalid authorization\n")


async def test_a_token_opens_no_other_session(http, register, live):
    await register(capacity=2)
    ids = [(await ask(http, "POST", "/apps/runner-1/session"))[1]["session_id"] for _ in range(2)]
    headers = {TOKEN: live.registry.target("runner-1", ids[0], "").token}
    asked = await ask(http, "POST", f"/runner/runner-1/session/{ids[1]}/stop", headers=headers)
    assert asked == (401, "invalid authorization\n")


async def test_a_container_stops_its_session_once(http, session):
    _, control, headers = session
    assert await ask(http, "POST", f"{control}/stop", headers=headers) == (204, "")
    assert await ask(http, "POST", f"{control}/stop", headers=headers) == (404, "runner session not found\n")
    assert (await ask(http, "POST", "/apps/runner-1/session"))[0] == 200


async def test_channels_are_made_in_the_order_asked_and_deleted_again(http, session):
    session_id, control, headers = session
    wanted = {"channels": [{"name": "out", "mime_type": "video/mp2t"}, {"name": "a/b"}]}
    status, answer = await ask(http, "POST", f"{control}/channels", json=wanted, headers=headers)
    base = f"{http._base_url}/ai/trickle/{session_id}"
    assert status == 200
    assert answer["channels"][0] == {
        "name": "out",
        "channel_name": f"{session_id}-out",
        "url": f"{base}-out",
        "internal_url": f"{base}-out",
        "mime_type": "video/mp2t",
    }
    assert [one["name"] for one in answer["channels"]] == ["out", "a-b"]
    async with http.post(f"{base}-out/0", data=b"a segment") as response:
        assert response.status == 200
    async with http.get(f"{base}-out/0") as response:
        assert (response.content_type, await response.read()) == ("video/mp2t", b"a segment")

    asked = await ask(http, "DELETE", f"{control}/channels", json={"channels": ["out"]}, headers=headers)
    assert asked == (200, {"deleted": ["out"]})
    assert (await ask(http, "GET", f"{base}-out/next"))[0] == 404
    asked = await ask(http, "DELETE", f"{control}/channels", json={"channels": ["a/b", "out"]}, headers=headers)
    assert asked == (404, "trickle channel not found\n")
    assert (await ask(http, "GET", f"{base}-a-b/next"))[0] == 404


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "channels is required\n"),
        ({"channels": []}, "channels is required\n"),
        (26, "channels cannot contain more than 25 entries\n"),
    ],
)
async def test_there_are_1_to_25_channels_a_request(http, session, method, body, message):
    _, control, headers = session
    if body == 26:
        one = {"name": "x"} if method == "POST" else "x"
        body = {"channels": [one] * 26}
    assert await ask(http, method, f"{control}/channels", json=body, headers=headers) == (400, message)


async def test_channels_before_a_bad_one_stay(http, session, live):
    session_id, control, headers = session
    body = {"channels": [{"name": "good"}, {"name": "bad.name"}, {"name": "later"}]}
    assert (await ask(http, "POST", f"{control}/channels", json=body, headers=headers))[0] == 400
    assert (await ask(http, "GET", f"/ai/trickle/{session_id}-good/next"))[0] == 200
    assert (await ask(http, "GET", f"/ai/trickle/{session_id}-later/next"))[0] == 404


async def test_the_end_of_a_session_ends_its_channels_for_a_reader(http, session, live):
    session_id, control, headers = session
    await ask(http, "POST", f"{control}/channels", json={"channels": [{"name": "in"}]}, headers=headers)
    channel = live.channels.find(f"{session_id}-in")
    reading = asyncio.create_task(ask_headers(http, f"/ai/trickle/{session_id}-in/0"))
    await until(lambda: channel._ring)
    await ask(http, "POST", f"/apps/runner-1/session/{session_id}/stop")
    assert (await reading)["Lp-Trickle-Closed"] == "terminated"
    assert (await ask(http, "GET", f"/ai/trickle/{session_id}-in/1"))[0] == 404


async def ask_headers(http, path):
    async with http.get(path) as response:
        return response.headers


async def test_runners_json_is_taken_at_run_time(http, app):
    entry = {"label": "first", "runner_url": app.url, "health_url": "/health", "app": "a/b"}
    status, answer = await ask(http, "POST", "/registerLiveRunners", json={"runners": [entry]})
    assert status == 200
    [first] = answer["runners"]
    assert (first["label"], first["healthy"], first["health_url"]) == ("first", True, f"{app.url}/health")
    app.health = 503
    _, again = await ask(http, "POST", "/registerLiveRunners", json={"runners": [entry]})
    assert again["runners"] == [{**first, "healthy": False}]
    assert (await ask(http, "POST", f"/apps/{first['runner_id']}/session"))[0] == 404


async def test_one_bad_entry_registers_none(http, app, live):
    entry = {"label": "first", "runner_url": app.url, "health_url": "/health", "app": "a/b"}
    asked = await ask(http, "POST", "/registerLiveRunners", json={"runners": [entry, {**entry, "label": ""}]})
    assert asked == (400, "runners[1]: label is required and must be trimmed\n")
    assert list(live.registry) == []
    assert (await ask(http, "POST", "/registerLiveRunners", data=b"[]"))[0] == 400


@pytest.mark.parametrize("secret", [SECRET, ""])
async def test_unregistering_ends_a_runner(http, register, secret):
    heartbeat_secret = (await register())["heartbeat_secret"]
    wrong = {"Authorization": secret} if secret else {}
    assert (await ask(http, "POST", "/runners/runner-1/unregister", headers=wrong))[0] == 401
    right = {"Authorization": heartbeat_secret}
    assert await ask(http, "POST", "/runners/runner-1/unregister", headers=right) == (204, "")
    assert (await ask(http, "POST", "/runners/runner-1/unregister", headers=right))[0] == 404


async def test_an_orchestrator_may_answer_html(http, live, register):
    await register()
    live.faults.is_html = True
    status, text = await ask(http, "POST", "/apps/runner-1/session")
    assert status == 502
    assert text.startswith("<!DOCTYPE html>")
    live.faults.is_html = False
    assert (await ask(http, "POST", "/apps/runner-1/session"))[0] == 200


async def test_an_orchestrator_may_be_slow(http, live, register):
    await register()
    live.faults.delay_s = 3600
    late = asyncio.create_task(ask(http, "GET", "/discovery"))
    for _ in range(3):
        assert (await ask(http, "GET", "/ai/trickle/nothing/next"))[0] == 404
    assert not late.done()
    late.cancel()
    live.faults.delay_s = 0.001
    assert (await ask(http, "GET", "/discovery"))[0] == 200


async def test_an_orchestrator_may_be_full(http, live, register):
    await register(capacity=9)
    live.faults.is_full = True
    assert await ask(http, "POST", "/apps/runner-1/session") == (503, "no capacity available for runner\n")
