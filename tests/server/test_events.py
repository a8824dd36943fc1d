import asyncio
import json

import pytest
from server_rig import until

from byoc_kit.server.events import Events


@pytest.fixture
def published(monkeypatch):
    """The events that were published; none waits for the next."""
    published = []

    async def publish_message(_http, _url, data):
        published.append(json.loads(data))

    monkeypatch.setattr("byoc_kit.server.events.publish_message", publish_message)
    monkeypatch.setattr("byoc_kit.server.events.STATUS_INTERVAL_S", 0)
    return published


async def test_a_status_that_raises_is_logged_once_and_events_go_on(published, caplog):
    states = iter(["good", "broken", "broken", *["good again"] * 1000])

    def status():
        state = next(states)
        if state == "broken":
            raise RuntimeError("no status")
        return {"stream_id": "a", "state": state}

    running = asyncio.create_task(Events(None, "http://127.0.0.1:9/events").run(status))
    try:
        await until(lambda: len(published) >= 2 or running.done(), "events go on")
    finally:
        running.cancel()
    assert [event["state"] for event in published[:2]] == ["good", "good again"]
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["no status"]
