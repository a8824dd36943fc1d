"""The process that runs in the container, started as the container starts it."""

import asyncio
import json
import shutil
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from server_rig import DEADLINE_S, until

from byoc_kit.cli import main
from byoc_kit.network.serving import serving
from byoc_kit.system.addresses import free_port
from byoc_kit.trickle.channels import Channels
from byoc_kit.trickle.server import create_app
from byoc_kit.verification.stream_clip import Received, receive, send
from byoc_kit.verification.target import STOP_GRACE_S, running, serve_command

pytestmark = pytest.mark.slow

BUNDLE = Path(__file__).parents[2] / "export/green_tint"


@asynccontextmanager
async def served(bundle=BUNDLE):
    port = free_port()
    async with running(serve_command(bundle, port), port) as target, aiohttp.ClientSession() as http:
        yield target, http


async def health(target, http):
    try:
        async with http.get(f"{target.url}/health") as answer:
            return answer.status, await answer.read()
    except aiohttp.ClientError:
        return None


async def until_health(target, http, status):
    async def has_status():
        return (answer := await health(target, http)) and answer[0] == status and answer

    return await until(has_status, f"health is {status}")


async def probe(url):
    """Run the HEALTHCHECK of the image; returns its exit code."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "byoc_kit.server.probe", url)
    return await process.wait()


async def test_health_is_loading_before_it_is_ok_and_sigterm_ends_it_with_exit_code_0():
    async with served() as (target, http):
        # The first answer comes before anything heavy is imported.
        assert (await until_health(target, http, 503))[1] == b'{"status": "loading"}'
        async with http.post(f"{target.url}/stream/start", json={}) as answer:
            assert answer.status == 503
        assert (await until_health(target, http, 200))[1] == b'{"status": "ok"}'
        assert await probe(f"{target.url}/health") == 0
        await target.stop()
        assert target.exit_code == 0
        assert await probe(f"{target.url}/health") == 1


async def test_sigterm_in_mid_stream_delivers_the_tail(clip):
    channels = Channels()
    async with serving(create_app(channels=channels)) as base, served() as (target, http):
        url = f"{base}/ai/trickle"
        for name in ("in", "out"):
            channels.create(name, "video/MP2T")
        await until_health(target, http, 200)
        start = {"gateway_request_id": "x", "subscribe_url": f"{url}/in", "publish_url": f"{url}/out"}
        async with http.post(f"{target.url}/stream/start", json=start) as answer:
            assert answer.status == 200
        received = Received()
        receiving = asyncio.create_task(receive(http, f"{url}/out", received))
        endless = asyncio.create_task(send(http, f"{url}/in", clip))

        counted = {}

        async def has_frames():
            async with http.get(f"{target.url}/stream/status") as answer:
                counted.update((await answer.json())["streams"][0])
            return counted.get("frames_encoded", 0) >= 10

        await until(has_frames, "ten frames are encoded")
        await target.stop()
        endless.cancel()
        channels.delete("out")
        async with asyncio.timeout(DEADLINE_S):
            await receiving
        assert target.exit_code == 0
        assert target.stopped_in_s <= STOP_GRACE_S
        assert len(received.arrived_s) >= counted["frames_encoded"]


def bundle_with(tmp_path, *replacements):
    """Copy the example's bundle with other code in its module."""
    bundle = tmp_path / "changed"
    shutil.copytree(BUNDLE, bundle, ignore=shutil.ignore_patterns("wheels"))
    source = (bundle / "processor.py").read_text()
    for before, after in replacements:
        assert before in source
        source = source.replace(before, after)
    (bundle / "processor.py").write_text(source)
    return bundle


async def test_sigterm_does_not_wait_for_a_model_that_loads(tmp_path):
    hook = "def load_model():\n    print('loading weights', flush=True)\n    __import__('time').sleep(600)\n"
    bundle = bundle_with(
        tmp_path,
        ("class Processor(", f"{hook}\n\nclass Processor("),
        ("Hooks.of(process_frame", "Hooks.of(process_frame, load_model=load_model"),
    )
    async with served(bundle) as (target, _):
        await until(lambda: any("loading weights" in line for line in target.log.lines), "load_model runs")
        await target.stop()
        assert target.exit_code == 0


async def test_a_crash_in_native_code_leaves_its_line_in_the_log(tmp_path):
    hook = "def load_model():\n    __import__('ctypes').string_at(0)\n"
    bundle = bundle_with(
        tmp_path,
        ("class Processor(", f"{hook}\n\nclass Processor("),
        ("Hooks.of(process_frame", "Hooks.of(process_frame, load_model=load_model"),
    )
    line = (bundle / "processor.py").read_text().split("\n").index("    __import__('ctypes').string_at(0)") + 1
    async with served(bundle) as (target, _):
        await until(lambda: any("Extension modules" in line for line in target.log.lines), "the process has died")
        log = target.log.lines
    assert any("Fatal Python error: Segmentation fault" in line for line in log)
    assert any(f'{bundle / "processor.py"}", line {line} in load_model' in said for said in log)


async def test_sigterm_while_everything_is_imported_ends_it_at_once():
    async with served() as (target, _):
        await until(lambda: any("listening on" in line for line in target.log.lines), "the port is bound")
        await target.stop()
        assert target.exit_code == 0


async def test_sigterm_does_not_wait_for_a_client_that_stalls():
    head = "POST /stream/start HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
    async with served() as (target, http):
        await until_health(target, http, 200)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(target.url.rpartition(":")[2]))
        writer.write(head.encode())
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"  # it waits for the body
        await target.stop()
        writer.close()
        assert target.exit_code == 0  # it would be killed after the grace that an orchestrator gives


async def test_sigterm_does_not_wait_for_a_process_frame_that_hangs(tmp_path, clip):
    bundle = bundle_with(tmp_path, ("frame.tensor.clone()", "__import__('time').sleep(600)"))
    channels = Channels()
    async with serving(create_app(channels=channels)) as base, served(bundle) as (target, http):
        for name in ("in", "out"):
            channels.create(name, "video/MP2T")
        await until_health(target, http, 200)
        start = {
            "gateway_request_id": "x",
            "subscribe_url": f"{base}/ai/trickle/in",
            "publish_url": f"{base}/ai/trickle/out",
        }
        async with http.post(f"{target.url}/stream/start", json=start) as answer:
            assert answer.status == 200
        sending = asyncio.create_task(send(http, start["subscribe_url"], clip))

        async def is_at_a_frame():
            async with http.get(f"{target.url}/stream/status") as answer:
                return (await answer.json())["streams"][0].get("frames_in", 0) > 2

        await until(is_at_a_frame, "process_frame hangs")
        assert (await health(target, http))[0] == 200  # it answers meanwhile
        stopping = asyncio.create_task(target.stop())
        await until(lambda: any("stopping" in line for line in target.log.lines), "the container stops")
        async with aiohttp.ClientSession() as other:
            assert (await health(target, other))[0] == 503
            async with other.get(f"{target.url}/health/live-runner") as answer:
                assert answer.status == 200  # else its orchestrator would close the channels before the tail is out
            async with other.post(f"{target.url}/stream/start", json=start) as answer:
                assert answer.status == 503
        await stopping
        sending.cancel()
        await asyncio.wait([sending])
        assert target.exit_code == 0
        assert target.stopped_in_s <= STOP_GRACE_S


async def test_sigterm_does_not_wait_for_a_name_that_is_being_looked_up(tmp_path):
    hang = "__import__('socket').getaddrinfo = lambda *_, **__: __import__('time').sleep(600)\n"
    bundle = bundle_with(tmp_path, ("class Params(", f"{hang}class Params("))
    async with served(bundle) as (target, http):
        await until_health(target, http, 200)
        start = {"gateway_request_id": "x", "subscribe_url": "http://nowhere.example/in"}
        async with http.post(f"{target.url}/stream/start", json=start) as answer:
            assert answer.status == 200
        await target.stop()
        assert target.exit_code == 0  # it would be killed after the grace that an orchestrator gives


async def test_a_cell_that_raises_is_an_error_in_health_that_names_it(tmp_path):
    bundle = bundle_with(tmp_path, ("class Params(", "1 / 0\nclass Params("))
    async with served(bundle) as (target, http):

        async def has_failed():
            answer = await health(target, http)
            return answer and b"error" in answer[1] and answer

        status, body = await until(has_failed, "health says error")
        assert status == 503
        detail = json.loads(body)["detail"]
        assert detail.startswith("green_tint.ipynb, cell 4, line 1: ZeroDivisionError")
        await target.stop()
        assert target.exit_code == 0


async def test_an_exception_in_process_frame_names_notebook_cell_and_line(tmp_path, clip):
    bundle = bundle_with(tmp_path, ("frame.tensor.clone()", "frame.tensor.clown()"))
    channels = Channels()
    async with serving(create_app(channels=channels)) as base, served(bundle) as (target, http):
        channels.create("in", "video/MP2T")
        await until_health(target, http, 200)
        start = {"gateway_request_id": "x", "subscribe_url": f"{base}/ai/trickle/in"}
        async with http.post(f"{target.url}/stream/start", json=start) as answer:
            assert answer.status == 200
        sending = asyncio.create_task(send(http, start["subscribe_url"], clip))

        async def has_failure():
            async with http.get(f"{target.url}/stream/status") as answer:
                streams = (await answer.json())["streams"]
            return streams and streams[0].get("failures")

        [failure] = await until(has_failure, "the failure is shown")
        sending.cancel()
        assert failure["where"] == "green_tint.ipynb, cell 6, line 2"
        assert failure["error"] == "AttributeError"
    assert sum("cell 6, line 2" in line for line in target.log.lines) == 1


def test_a_taken_port_is_reported_in_one_line(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(BUNDLE), "--port", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"byoc-kit: cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port\n"
    )


def test_a_folder_that_is_no_bundle_is_reported_in_one_line(tmp_path, capsys):
    assert main(["serve", str(tmp_path)]) == 2
    assert "is not a bundle" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_command_line_says_what_it_is(option, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([option])
    assert "byoc-kit" in capsys.readouterr().out
