import asyncio

from registration_rig import ServedContainer, until
from web_rig import served

from byoc_kit.registration.container import Container
from byoc_kit.registration.streams import Seen


async def test_it_is_waited_for_until_its_model_is_loaded(monkeypatch, caplog):
    caplog.set_level("INFO", "byoc_kit.registration")
    monkeypatch.setattr("byoc_kit.registration.container._ASK_AGAIN_S", 0.01)
    container = ServedContainer()
    async with served(*container.routes()) as url:
        await Container(url).until_ready()
    assert container.health == [200]
    assert caplog.messages == [f"waiting for {url}/health: HTTP 503"]


async def test_its_status_says_what_runs_and_which_are_live_sessions():
    container = ServedContainer()
    container.status["streams"] = [{"stream_id": "a"}, {"stream_id": "session_b", "is_live_session": True}]
    async with served(*container.routes()) as url:
        assert await Container(url, token="t0ken").look() == Seen(("session_b",), 2, is_well=True)  # noqa: S106
        container.status["status"] = "error"
        assert not (await Container(url, token="t0ken").look()).is_well  # noqa: S106


async def test_one_that_does_not_answer_as_it_should_is_not_well():
    container = ServedContainer()
    async with served(*container.routes()) as url:
        assert await Container(url).look() == Seen(is_well=False)  # a 401
        for status in ([], {"status": "ok"}, {"status": "ok", "streams": [7]}, {"streams": None, "status": "ok"}):
            container.status = status
            assert not (await Container(url, token="t0ken").look()).is_well  # noqa: S106
    assert await Container(url).look() == Seen(is_well=False)  # nobody is there


async def test_a_session_is_stopped_by_its_id(caplog):
    container = ServedContainer()
    async with served(*container.routes()) as url:
        there = Container(url, token="t0ken")  # noqa: S106
        there.end("session_b")
        there.end("session_b")
        await until(lambda: not there._ending)
        assert container.stopped == ["session_b"]
        stranger = Container(url)
        stranger.end("session_c")
        await until(lambda: not stranger._ending)
    assert "session_c" in caplog.text
    await asyncio.sleep(0)
