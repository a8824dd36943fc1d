"""``byoc-kit network``: run a local trickle server and orchestrator."""

from __future__ import annotations

import argparse
import asyncio
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from byoc_kit.commands.arguments import Commands, add_address, http_url
from byoc_kit.errors import ByocKitError

if TYPE_CHECKING:
    from byoc_kit.network.live_runners import LiveRunners
    from byoc_kit.network.orchestrator import Orchestrator


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "network", help="run a local trickle server and orchestrator; it advertises what `serve` serves"
    )
    parser.set_defaults(run=_run)
    parser.add_argument("declared", nargs="*", type=Path, help="aiModels.json, runners.json, or a bundle")
    add_address(parser, port=8935)
    parser.add_argument("--secret", default="", help="let containers register themselves as Live Runners with it")
    parser.add_argument("--public-url", type=http_url, help="what clients are told of (default: the address)")
    parser.add_argument(
        "--runner-url-base", type=http_url, help="what Live Runners are told of (default: what clients are)"
    )
    parser.add_argument("--tls", action="store_true", help="serve HTTPS with a self-signed certificate")


def _run(options: argparse.Namespace) -> None:
    from byoc_kit.network.certificate import self_signed
    from byoc_kit.network.routes import serve_orchestrator
    from byoc_kit.system.threads import set_at_signal

    orchestrator, live_runners = _declared(options)

    async def run() -> None:
        stopped = set_at_signal()
        with ExitStack() as stack:
            certificate = stack.enter_context(self_signed(options.host)) if options.tls else None
            serving = serve_orchestrator(
                orchestrator, options.host, options.port, live_runners=live_runners, certificate=certificate
            )
            async with serving as url:
                _say_how_to_start(url, orchestrator, live_runners, curl="curl -k" if options.tls else "curl")
                await stopped.wait()

    asyncio.run(run())


def _declared(options: argparse.Namespace) -> tuple[Orchestrator, LiveRunners | None]:
    from byoc_kit.network.live_runners import LiveRunners, RunnerSettings
    from byoc_kit.network.models import read_models
    from byoc_kit.network.orchestrator import Orchestrator
    from byoc_kit.network.runner_file import read_runners
    from byoc_kit.network.runner_records import check_entries

    if not options.declared and not options.secret:
        raise ByocKitError("nothing is declared; give aiModels.json, runners.json or a bundle, or a --secret")
    files = [file for path in options.declared for file in _files_of(path)]
    runner_files = [file for file in files if _declares_runners(file)]
    models = [model for file in files if file not in runner_files for model in read_models(file)]
    entries = check_entries(tuple(entry for file in runner_files for entry in read_runners(file)))
    if not runner_files and not options.secret:
        return Orchestrator(models), None
    settings = RunnerSettings(options.public_url or "", options.runner_url_base or "", secret=options.secret)
    return Orchestrator(models), LiveRunners(entries, settings)


def _files_of(path: Path) -> list[Path]:
    from byoc_kit.bundle.announce import AI_MODELS, RUNNERS

    if not path.is_dir():
        return [path]
    runners = path / RUNNERS  # older bundles have none
    return [path / AI_MODELS, *([runners] if runners.exists() else [])]


def _declares_runners(path: Path) -> bool:
    from byoc_kit.bundle.announce import RUNNERS

    if path.name == RUNNERS:
        return True
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False  # who reads it says what is wrong
    return isinstance(document, dict) and "runners" in document


def _say_how_to_start(url: str, orchestrator: Orchestrator, live_runners: LiveRunners | None, *, curl: str) -> None:
    if orchestrator.models or live_runners is None:
        print(f"orchestrator at {url}; Ctrl-C ends it. Start a stream with:", flush=True)
        body = json.dumps({"model_id": next(iter(orchestrator.models), "MODEL_ID")})
        print(f"  {curl} {url}/stream/start -H content-type:application/json -d '{body}'", flush=True)
    else:
        print(f"orchestrator at {url}; Ctrl-C ends it.", flush=True)
    if live_runners is None:
        return
    registry = live_runners.registry
    for runner in registry:
        state = "is healthy" if runner.record.is_ready else "does not answer its health check yet"
        print(f"{runner.record.label} {state}. Reserve a session with:", flush=True)
        print(f"  {curl} -X POST {registry.urls.public}/apps/{runner.route}/session", flush=True)
    if live_runners.settings.secret:
        print(f"Containers register at {registry.urls.internal}/runners/heartbeat.", flush=True)
