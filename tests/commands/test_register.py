import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from registration_rig import ServedContainer, until
from runner_rig import SECRET, orchestrating
from web_rig import served

from byoc_kit.cli import main
from byoc_kit.system import processes
from byoc_kit.system.processes import Tail

BUNDLE = Path(__file__).parents[2] / "export/green_tint"


@asynccontextmanager
async def registering(*arguments, **settings):
    """Run the command; gives its process and its log."""
    log = Tail(50)
    command = [sys.executable, "-m", "byoc_kit.cli", "register", str(BUNDLE), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BYOC_KIT_")}
    async with processes.running(command, log, environment={**environment, **settings}, grace_s=10) as process:
        yield process, log


@pytest.mark.slow
async def test_a_container_that_runs_is_registered_when_it_is_ready_and_until_the_end():
    container = ServedContainer()
    container.health = [503]
    async with served(*container.routes()) as runner_url, orchestrating() as (live, http):
        url = str(http._base_url)
        options = ["--as", "live-runner", "--orchestrator", url, "--runner-url", runner_url, "--runner-id", "mine"]
        async with registering(*options, BYOC_KIT_ORCHESTRATOR_SECRET=SECRET) as (process, log):
            await until(lambda: any("waiting for" in line for line in log.lines))
            assert list(live.registry) == []
            container.health = [200]
            await until(lambda: list(live.registry))
            [runner] = live.registry
            assert (runner.record.runner_url, runner.record.runner_id) == (runner_url, "mine")
            await process.end()
        assert process.code == 0
        assert list(live.registry) == []
    said = "\n".join(log.lines)
    assert f"registered at {url} as the Live Runner mine" in said
    assert f"unregistered at {url}" in said
    assert SECRET not in said


@pytest.mark.slow
async def test_ctrl_c_ends_it_before_there_is_a_container(unused_tcp_port):
    nobody = f"http://127.0.0.1:{unused_tcp_port}"
    options = ["--as", "byoc", "--orchestrator", nobody, "--runner-url", nobody]
    async with registering(*options, BYOC_KIT_ORCHESTRATOR_SECRET=SECRET) as (process, log):
        await until(lambda: any("waiting for" in line for line in log.lines))
        await process.end()
    assert process.code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "it is not said how to register; give --as live-runner or --as byoc"),
        (["--as", "byoc"], "BYOC_KIT_REGISTER_AS=byoc needs BYOC_KIT_ORCHESTRATOR_URL: "),
        (["--as", "byoc", "--orchestrator", "o:8935"], "BYOC_KIT_ORCHESTRATOR_URL=o:8935 does not fit: "),
        (["--as", "byoc", "--orchestrator", "http://o", "--runner-url", "http://c"], "BYOC_KIT_ORCHESTRATOR_SECRET: "),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(monkeypatch, capsys, options, said):
    for name in [name for name in os.environ if name.startswith("BYOC_KIT_")]:
        monkeypatch.delenv(name)
    assert main(["register", str(BUNDLE), *options]) == 2
    assert said in capsys.readouterr().err
