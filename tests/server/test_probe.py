import pytest
from aiohttp import web
from web_rig import served

from byoc_kit.server.probe import main
from byoc_kit.system.concurrency import on_thread


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, '{"status": "ok"}', 0),
        (200, '{"status": "IDLE"}', 0),
        (200, '{"status": "LOADING"}', 1),
        (503, '{"status": "loading"}', 1),
        (200, "<html>", 1),
    ],
)
async def test_the_exit_code_says_whether_the_container_is_ready(capsys, status, body, code):
    async def health(_):
        return web.Response(status=status, text=body)

    async with served(web.get("/health", health)) as base:
        url = f"{base}/health"
        assert await on_thread(lambda: main(url), name="probe") == code
    assert capsys.readouterr().err.startswith(url if code else "")


def test_a_server_that_does_not_answer_is_not_ready(capsys, unused_tcp_port):
    assert main(f"http://127.0.0.1:{unused_tcp_port}/health") == 1
    assert "Connection refused" in capsys.readouterr().err
