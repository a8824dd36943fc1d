"""``python -m benchmarks``: measure the kit beside stock pytrickle, ffmpeg and other previews."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from byoc_kit.errors import ByocKitError

_BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark; returns 0, 1 where a target is missed, or 2 for bad input, with the reason on stderr."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except ByocKitError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return _BAD_INPUT
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure CPU, latency and memory beside stock pytrickle and ffmpeg."
    )
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long a run lasts (default: %(default)g)")
    parser.add_argument(
        "--clip", type=Path, default=Path("notebooks/clips/bigbuckbunny.mp4"), help="a video (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, default=Path("reports/bench"), help="a folder (default: %(default)s)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these contenders, as in bench.json")
    parser.add_argument("--tools", action="store_true", help="instead, how long check, export, watch and --help take")
    parser.add_argument(
        "--soak",
        nargs="?",
        type=int,
        const=10,
        metavar="MINUTES",
        help="instead, one long run of a slow process_frame: latency and memory must stay as they are (default: 10)",
    )
    parser.add_argument(
        "--preview",
        action="store_true",
        help="instead, the preview in JupyterLab and Chromium beside ipywidgets.Image and jupyter_rfb; with --soak, "
        "it plays so long: memory must stay as it is",
    )
    parser.add_argument(
        "--memory",
        nargs="?",
        const="all",
        metavar="SCENARIO",
        help="instead, the same again and again, as 100 streams: memory and threads must stay as they are",
    )
    parser.add_argument("--times", type=int, help="with --memory: how often (default: the scenario's own number)")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.tools:
        from benchmarks.tools import bench_tools

        return bench_tools(sorted(Path("notebooks").glob("*.ipynb")), options.output)
    if options.preview and options.soak is not None:
        from benchmarks.preview_soak import soak_preview

        return soak_preview(options.clip, minutes=options.soak, output=options.output)
    if options.memory is not None:
        from benchmarks.memory import bench_memory

        only = None if options.memory == "all" else options.memory
        return bench_memory(options.clip, only=only, times=options.times, output=options.output)
    if options.soak is not None:
        from benchmarks.soak import soak

        return soak(options.clip, minutes=options.soak, output=options.output)
    from benchmarks.run import Request, bench

    request = Request(
        runs=options.runs, seconds=options.seconds, clip=options.clip, output=options.output, only=options.only
    )
    if options.preview:
        from benchmarks.preview_run import bench_preview

        return bench_preview(request)
    return bench(request)


if __name__ == "__main__":
    sys.exit(main())
