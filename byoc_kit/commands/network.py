"""``byoc-kit network``: run a local trickle server and orchestrator."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from byoc_kit.commands.arguments import Commands, add_address


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "network", help="run a local trickle server and orchestrator; it advertises what `serve` serves"
    )
    parser.set_defaults(run=_run)
    parser.add_argument("ai_models", type=Path, help="aiModels.json, or a bundle")
    add_address(parser, port=8935)


def _run(options: argparse.Namespace) -> None:
    from byoc_kit.network.models import read_models
    from byoc_kit.network.orchestrator import Orchestrator
    from byoc_kit.network.routes import serve_orchestrator
    from byoc_kit.system.threads import set_at_signal

    path: Path = options.ai_models
    orchestrator = Orchestrator(read_models(path / "aiModels.json" if path.is_dir() else path))

    async def run() -> None:
        stopped = set_at_signal()
        async with serve_orchestrator(orchestrator, options.host, options.port) as url:
            print(f"orchestrator at {url}; Ctrl-C ends it. Start a stream with:", flush=True)
            body = json.dumps({"model_id": next(iter(orchestrator.models), "MODEL_ID")})
            print(f"  curl {url}/stream/start -H content-type:application/json -d '{body}'", flush=True)
            await stopped.wait()

    asyncio.run(run())
