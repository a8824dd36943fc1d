import pytest
from aiohttp import web
from registration_rig import answers
from web_rig import Silent, served

from byoc_kit.registration.orchestrator import CallError, Orchestrator
from byoc_kit.trickle.connection import client_session

SECRET = "orch-s3cret"  # noqa: S105  # not a real one


async def refusal(answer, *, timeout_s=5):
    """Post to a server that gives one answer, and return the error."""
    async with served(web.post("/x", answer)) as url, client_session() as http:
        with pytest.raises(CallError) as raised:
            await Orchestrator(http, url, secrets={SECRET}).post_json("/x", {}, SECRET, timeout_s=timeout_s)
        return raised.value


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (answers(401, "invalid authorization\nmore"), "http_401", "HTTP 401: invalid authorization"),
        (answers(500, ""), "http_500", "HTTP 500"),
        (answers(502, "<html>", content_type="text/html"), "http_502", "HTTP 502, a web page"),
        (answers(200, "<html>", content_type="text/html"), "bad_answer", "its answer is no JSON object"),
        (answers(200, "[1]"), "bad_answer", "its answer is no JSON object"),
        (answers(200, "[" * 100_000), "bad_answer", "its answer is no JSON object"),
        (answers(200, "x" * (2 << 20)), "bad_answer", "its answer is larger than 1048576 bytes"),
        (answers(400, f"no: {SECRET}"), "http_400", "HTTP 400: no: ***"),
        (answers(400, "x" * 10_000), "http_400", "HTTP 400: " + "x" * 200),
    ],
)
async def test_an_answer_that_is_no_success_is_said_in_a_line(answer, reason, said):
    error = await refusal(answer)
    assert (error.reason, str(error)) == (reason, said)


async def test_a_redirect_is_not_followed_so_the_secret_stays_here():
    heard = []

    async def elsewhere(request):
        heard.append(request)
        return web.json_response({})

    async with served(web.post("/x", elsewhere), web.get("/x", elsewhere)) as other:
        for status in (301, 302, 303, 307, 308):
            error = await refusal(answers(status, "", headers={"Location": f"{other}/x?key=k"}))
            assert error.reason == f"http_{status}"
            assert str(error) == f"HTTP {status}, a redirect to {other}/x, which is not followed"
    assert heard == []


async def test_who_does_not_answer_or_is_not_there_is_a_failure_too():
    silent = Silent()
    try:
        async with client_session() as http:
            with pytest.raises(CallError, match=r"no answer within 0\.1 s") as raised:
                await Orchestrator(http, f"http://127.0.0.1:{silent.port}").post("/x", b"", "", timeout_s=0.1)
    finally:
        silent.close()
    assert raised.value.reason == "timeout"
    async with client_session() as http:
        with pytest.raises(CallError) as raised:
            await Orchestrator(http, f"http://127.0.0.1:{silent.port}").post("/x", b"", "", timeout_s=5)
    assert raised.value.reason == "connection"


async def test_a_secret_that_the_orchestrator_gave_is_left_out_as_well():
    async with served(web.post("/x", answers(400, "g1ven and orch-s3cret"))) as url, client_session() as http:
        orchestrator = Orchestrator(http, url, secrets={SECRET})
        orchestrator.learned("g1ven")
        with pytest.raises(CallError, match=r"HTTP 400: \*\*\* and \*\*\*$"):
            await orchestrator.post("/x", b"", SECRET, timeout_s=5)
