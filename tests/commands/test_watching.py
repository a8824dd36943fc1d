import asyncio
import json
import logging
import signal
import sys
import threading
from contextlib import asynccontextmanager

import aiohttp
import pytest
from notebook_rig import CAPABILITY, notebook_json
from server_rig import until

from byoc_kit.cli import main
from byoc_kit.commands.watching import _Watch
from byoc_kit.server.settings import ServerSettings
from byoc_kit.system.addresses import listen

PROCESS_FRAME = "def process_frame(frame):\n    return frame  # {}"


@pytest.fixture(autouse=True)
def no_processor_stays():
    yield
    sys.modules.pop("processor", None)


class Watched:
    """A notebook that is watched."""

    def __init__(self, path):
        self.path = path
        self.server = None

    def save(self, *sources, outputs=()):
        document = json.loads(notebook_json(*(("byoc", source) for source in (*sources, CAPABILITY))))
        document["cells"][0]["outputs"] = list(outputs)
        self.path.write_text(json.dumps(document))


@pytest.fixture
def watched(tmp_path, caplog):
    """Watch a notebook that was saved once."""
    caplog.set_level(logging.INFO, "byoc_kit.commands.watching")

    @asynccontextmanager
    async def watch(*sources, is_served=True):
        it = Watched(tmp_path / "effects.ipynb")
        it.save(*sources)
        watcher = _Watch(it.path, tmp_path / "bundle", ServerSettings())
        listener = listen("127.0.0.1", 0)
        it.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        running = asyncio.create_task(watcher.run(listener))
        if is_served:
            await until(lambda: (it := watcher._server) and (it._is_ready or it._load_error), "the model is loaded")
        it.server, it.watcher = watcher._server, watcher
        yield it
        running.cancel()
        await asyncio.wait([running])

    return watch


async def test_a_change_is_served_once_it_is_saved(watched, caplog):
    async with watched(PROCESS_FRAME) as it:
        before = it.server.frame_processor
        async with aiohttp.ClientSession() as http, http.get(f"{it.url}/health") as answer:
            assert answer.status == 200
        it.save("def process_frame(frame):\n    return None")
        await until(lambda: it.server.frame_processor is not before, "the new one is served")
        assert it.server.frame_processor.hooks.process_frame(3) is None
    assert "serving the new version of effects.ipynb" in caplog.text


async def test_what_is_wrong_is_logged_and_the_version_before_goes_on(watched, caplog):
    async with watched(PROCESS_FRAME) as it:
        before = it.server.frame_processor
        for source, said in {
            "x = GAIN": "effects.ipynb, cell 1, line 1: nothing defines GAIN",
            "x = 1 / 0": "effects.ipynb, cell 1, line 1: ZeroDivisionError",
            "def load_model(): raise KeyError('weights')": "load_model failed at effects.ipynb, cell 1, line 1:",
        }.items():
            it.save(source, PROCESS_FRAME)
            await until(lambda: said in caplog.text, said)  # noqa: B023
        assert it.server.frame_processor is before
        it.path.write_text("{")
        await until(lambda: "is not valid JSON" in caplog.text, "the log names half a file")
        it.path.unlink()
        await asyncio.sleep(0.2)
        it.save(PROCESS_FRAME.format(2))
        await until(lambda: it.server.frame_processor is not before, "the mended one is served")


async def test_a_version_that_loads_after_a_first_that_did_not_is_ready(watched):
    async with watched("def load_model(): raise KeyError('weights')", PROCESS_FRAME) as it:
        it.save(PROCESS_FRAME)
        await until(lambda: it.server._is_ready, "the mended one is served")
        async with aiohttp.ClientSession() as http, http.get(f"{it.url}/health") as answer:
            assert answer.status == 200


async def test_before_a_version_can_be_exported_health_says_why(watched, caplog):
    async with watched("x = GAIN", PROCESS_FRAME, is_served=False) as it, aiohttp.ClientSession() as http:
        said = "nothing is served until a version of effects.ipynb is saved that can be"
        await until(lambda: said in caplog.text, said)
        async with http.get(f"{it.url}/health") as answer:
            assert answer.status == 503
            assert "effects.ipynb, cell 1, line 1: nothing defines GAIN" in (await answer.json())["detail"]
        it.save(PROCESS_FRAME)
        await until(lambda: (server := it.watcher._server) and server._is_ready, "the mended one is served")
        async with http.get(f"{it.url}/health") as answer:
            assert answer.status == 200


async def test_what_nobody_expects_is_not_called_a_failing_model(watched, caplog):
    async with watched(PROCESS_FRAME) as it:
        it.watcher._target = None
        it.save(PROCESS_FRAME.format(2))
        await until(lambda: "effects.ipynb cannot be exported or served" in caplog.text, "the log says so")
    assert "load_model" not in caplog.text
    assert "TypeError" in caplog.text


async def test_new_outputs_are_no_change(watched):
    async with watched(PROCESS_FRAME) as it:
        before, taken = it.server.frame_processor, []
        take = it.watcher._take
        it.watcher._take = lambda url: taken.append(1) or take(url)
        it.save(PROCESS_FRAME, outputs=[{"output_type": "stream", "name": "stdout", "text": "x"}])
        await until(lambda: taken, "the save is seen")
        await until(lambda: not [t for t in threading.enumerate() if t.name == "export"], "it was looked at")
        assert it.server.frame_processor is before


def test_a_notebook_that_is_not_there_is_one_sentence(tmp_path, capsys):
    assert main(["watch", str(tmp_path / "none.ipynb")]) == 2
    assert capsys.readouterr().err == (
        f"byoc-kit: there is no notebook {tmp_path}/none.ipynb; give the path of an .ipynb file\n"
    )


HANGS = "import time\ndef {}: time.sleep(600)"


@asynccontextmanager
async def started(*arguments):
    """Run ``byoc-kit`` as its users do; waits for a line of its log, and kills it at the end."""
    command = [sys.executable, "-m", "byoc_kit", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    lines = []

    async def says(word):
        async with asyncio.timeout(60):
            while word not in (lines[-1] if lines else ""):
                line = await process.stderr.readline()
                assert line, f"it ended: {lines}"
                lines.append(line.decode())

    process.says, process.lines = says, lines
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()


async def rest_of(process):
    async with asyncio.timeout(20):
        rest = (await process.stderr.read()).decode()
        return await process.wait(), rest


@pytest.mark.parametrize(
    ("number", "hangs"),
    [
        (signal.SIGINT, ""),
        (signal.SIGTERM, HANGS.format("load_model()")),
        (signal.SIGINT, "import time\ntime.sleep(600)"),
    ],
    ids=["idle", "in load_model", "in the cells"],
)
@pytest.mark.slow
async def test_a_signal_ends_it_at_any_moment_with_one_line(tmp_path, number, hangs):
    it = Watched(tmp_path / "effects.ipynb")
    it.save(PROCESS_FRAME)
    arguments = ["watch", str(it.path), "-o", str(tmp_path / "bundle"), "--port", "0"]
    async with started(*arguments) as process:
        await process.says("ready")
        if hangs:
            before = (tmp_path / "bundle" / "processor.py").read_text()
            it.save(hangs, PROCESS_FRAME)
            await until(lambda: (tmp_path / "bundle" / "processor.py").read_text() != before, "it is exported")
        process.send_signal(number)
        code, rest = await rest_of(process)
    assert code == 0
    assert [line.split(" INFO ")[-1] for line in rest.splitlines() if "new version" not in line] == ["stopping"]
