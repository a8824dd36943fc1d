"""The ``byoc-kit`` command."""

from __future__ import annotations

import argparse
import difflib
import io
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from byoc_kit import __version__
from byoc_kit.errors import ByocKitError

BAD_INPUT = 2

_OUTPUT = "the bundle's folder (default: export/NAME, above the notebook where bundles are, else here)"
_GPUS = "the GPUs that an image gets, as `docker run --gpus` takes them, e.g. all"

N = TypeVar("N", int, float)
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # it has no public name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0, 1 where a check fell short, or 2 for bad input, with the reason on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without UTF-8 gets escapes
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if "_ARGCOMPLETE" in os.environ:  # the shell asks for completions, see `byoc-kit completion`
        import argcomplete

        argcomplete.autocomplete(parser)
    _suggest_command(parser, arguments)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except ByocKitError as error:
        from byoc_kit.notebook.text import printable

        said = "\n".join(map(printable, str(error).split("\n")))
        print(f"byoc-kit: {said}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return 130


def _suggest_command(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """End with the command that was meant where the one given is nearly its name."""
    names = list(parser.get_default("commands"))
    given = arguments[0] if arguments else ""
    if given.startswith("-") or given in names:
        return
    if near := difflib.get_close_matches(given, names, n=1):
        parser.error(f"there is no command {given}; did you mean {near[0]}?")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="byoc-kit", description="From process_frame in a notebook to a live stream.")
    parser.add_argument("--version", action="version", version=f"byoc-kit {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    parser.set_defaults(commands=commands.choices)

    _add_check(commands)

    export = commands.add_parser("export", help="write the bundle of a notebook")
    export.set_defaults(run=_export)
    export.add_argument("notebook", type=Path, help="an .ipynb with cells tagged `byoc`")
    export.add_argument("-o", "--output", type=Path, help=_OUTPUT)
    export.add_argument("--check", action="store_true", help="write nothing; show how the bundle differs")
    export.add_argument("--force", action="store_true", help="overwrite what was edited in the bundle since the export")
    export.add_argument("--wheelhouse", action="store_true", help="collect every wheel: a build without network")
    export.add_argument(
        "--hashes",
        action=argparse.BooleanOptionalAction,
        help="lock with hashes, or without, where pip has no index (default: as the bundle was, else with)",
    )
    export.add_argument(
        "--device",
        choices=["installed", "cpu", "cu126", "cu128", "cu130"],
        help="what torch is built for in the image (default: as the bundle was, else as installed here)",
    )

    _add_sync(commands)

    serve = commands.add_parser("serve", help="serve a bundle as its container will")
    serve.set_defaults(run=_serve)
    serve.add_argument("bundle", type=Path, help="what `export` has written, e.g. export/NAME")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=_number(int, 0, 65_535), default=8000)
    serve.add_argument("--image", nargs="?", const="", metavar="NAME", help="run the built image, or the image NAME")
    serve.add_argument("--gpus", metavar="GPUS", help=_GPUS)

    _add_watch(commands)

    build = commands.add_parser("build", help="build a bundle's image with Docker")
    build.set_defaults(run=_build)
    build.add_argument("bundle", type=Path, help="what `export` has written, e.g. export/NAME")
    build.add_argument("--tag", help="the image's name (default: that of aiModels.json)")
    build.add_argument("--base-image", help="a base with Python 3.11 (default: the Dockerfile's)")

    _add_verify(commands)

    _add_network(commands)

    _add_bench(commands)

    demo = commands.add_parser("demo", help="go the whole way: export, verify, build, verify the image")
    demo.set_defaults(run=_demo)
    demo.add_argument("notebook", type=Path, help="an .ipynb with cells tagged `byoc`")
    demo.add_argument("--base-image", help="a base with Python 3.11 (default: the Dockerfile's)")

    completion = commands.add_parser("completion", help="print what makes your shell complete byoc-kit's arguments")
    completion.set_defaults(run=_completion)
    completion.add_argument("shell", choices=["bash", "zsh"])
    return parser


def _add_check(commands: Commands) -> None:
    check = commands.add_parser("check", help="say what would keep a notebook from being exported")
    check.set_defaults(run=_check)
    check.add_argument("notebook", type=Path, nargs="?", help="an .ipynb")
    check.add_argument("--format", choices=["text", "json", "github"], default="text", help="(default: %(default)s)")
    check.add_argument("--fix", action="store_true", help="tag the cells that the tagged ones need, and show the diff")
    check.add_argument("--codes", action="store_true", help="list all codes with what they are about")


def _check(options: argparse.Namespace) -> int:
    from byoc_kit.notebook import report

    if options.codes:
        sys.stdout.write(report.explain())
        return 0
    if options.notebook is None:
        raise ByocKitError("give the path of a notebook, or --codes")
    if options.fix:
        from byoc_kit.notebook.fix import fix
        from byoc_kit.notebook.text import printable

        fixed = fix(options.notebook)
        sys.stderr.write(fixed.diff(str(options.notebook)))
        if fixed.tagged:
            print(f"tagged {', '.join(printable(cell.label) for cell in fixed.tagged)}", file=sys.stderr)
            _warn_if_open(options.notebook)
    from byoc_kit.notebook.analysis import analyse
    from byoc_kit.notebook.read import read_notebook

    findings = analyse(read_notebook(options.notebook)).findings
    render = {"text": report.as_text, "json": report.as_json, "github": report.as_github}[options.format]
    sys.stdout.write(render(findings, str(options.notebook)))
    is_bad = any(finding.is_error for finding in findings)
    if options.fix and is_bad:
        print("--fix sets tags and changes no code: what is left is for you to mend", file=sys.stderr)
    return int(is_bad)


def _warn_if_open(notebook: Path) -> None:
    from byoc_kit.notebook.open_in_jupyter import open_notebook_warning

    if warning := open_notebook_warning(notebook):
        print(warning, file=sys.stderr)


def _export(options: argparse.Namespace) -> int:
    from byoc_kit.bundle.plan import plan_again, write
    from byoc_kit.bundle.wheels import collect_wheelhouse, put_kit_wheel
    from byoc_kit.notebook.analysis import analyse
    from byoc_kit.notebook.read import read_notebook

    target = _target(options)
    analysis = analyse(read_notebook(options.notebook))
    bundle = plan_again(analysis, target, device=options.device, with_hashes=options.hashes)
    for finding in bundle.findings:
        print(finding, file=sys.stderr)
    if options.check:
        from byoc_kit.bundle.drift import compare

        difference = compare(bundle)
        sys.stdout.write(difference.diff or f"{target} is as the notebook says\n")
        return int(bool(difference))
    write(bundle, force=options.force)
    put_kit_wheel(target)
    if options.wheelhouse:
        print("collecting wheels ...", file=sys.stderr)
        collect_wheelhouse(target)
    print(f"wrote {target}: {', '.join(bundle.files)}; next: byoc-kit verify {shlex.quote(str(target))}")
    return 0


def _target(options: argparse.Namespace) -> Path:
    """Return the bundle's folder: the one that was asked for, else one of the notebook's name."""
    from byoc_kit.bundle.place import bundle_folder

    output: Path | None = options.output
    stem: str = options.notebook.stem
    if output is None and stem in {"", ".", ".."}:
        msg = f"{options.notebook.name} gives a bundle no name; choose its folder with --output"
        raise ByocKitError(msg)
    return output or bundle_folder(options.notebook)


def _add_sync(commands: Commands) -> None:
    sync = commands.add_parser("sync", help="take edits of a bundle's processor.py back to its notebook")
    sync.set_defaults(run=_sync)
    sync.add_argument("bundle", type=Path, help="what `export` has written, e.g. export/NAME")


def _sync(options: argparse.Namespace) -> None:
    from byoc_kit.bundle.load import read_bundle
    from byoc_kit.bundle.sync import SyncError, sync

    try:
        cells, findings, is_written = sync(options.bundle)
    except SyncError as error:
        sys.stderr.write(error.diff)
        raise
    for finding in findings:
        print(finding, file=sys.stderr)
    if cells:
        _warn_if_open(read_bundle(options.bundle).notebook)
    said = f"took {', '.join(cell.label for cell in cells)} back" if cells else "nothing to take back"
    stale = ", which was not what the notebook says, is exported again" if is_written and not cells else ""
    print(f"{said}; {options.bundle}{stale}" if stale else f"{said}; notebook and {options.bundle} agree")


def _add_watch(commands: Commands) -> None:
    watch = commands.add_parser("watch", help="serve a notebook, and each change as soon as it is saved")
    watch.set_defaults(run=_watch)
    watch.add_argument("notebook", type=Path, help="an .ipynb with cells tagged `byoc`")
    watch.add_argument("-o", "--output", type=Path, help=_OUTPUT)
    watch.add_argument("--host", default="127.0.0.1")
    watch.add_argument("--port", type=_number(int, 0, 65_535), default=8000)


def _watch(options: argparse.Namespace) -> int:
    from byoc_kit.watch import watch

    target = _target(options)
    return watch(options.notebook, target, host=options.host, port=options.port)


def _serve(options: argparse.Namespace) -> int:
    # As PID 1 of a container a process without a handler does not even see SIGTERM; the server brings its own later.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from byoc_kit.bundle.load import read_bundle

    bundle = read_bundle(options.bundle)
    if options.image is not None:
        from byoc_kit.bundle.ai_models import image_name
        from byoc_kit.image.docker import run_image

        image = options.image or image_name(bundle.capability)
        run_image(image, host=options.host, port=options.port, gpus=options.gpus)
    from byoc_kit.server.serve import serve

    return serve(bundle, host=options.host, port=options.port)


def _build(options: argparse.Namespace) -> None:
    from byoc_kit.bundle.ai_models import image_name
    from byoc_kit.bundle.load import read_bundle
    from byoc_kit.bundle.wheels import missing_wheels, put_kit_wheel
    from byoc_kit.image.docker import build_image

    bundle = read_bundle(options.bundle)
    tag = options.tag or image_name(bundle.capability)
    put_kit_wheel(options.bundle)
    no_index = not missing_wheels(options.bundle)
    build_image(options.bundle, model_id=bundle.model_id, tag=tag, base_image=options.base_image, no_index=no_index)
    print(f"built {tag}")


def _add_verify(commands: Commands) -> None:
    verify = commands.add_parser("verify", help="compare notebook, module, server and container over a clip")
    verify.set_defaults(run=_verify)
    verify.add_argument("bundle", type=Path, help="what `export` has written, e.g. export/NAME")
    verify.add_argument("--clip", type=Path, help="a video file (default: the first in clips/ beside the notebook)")
    where = verify.add_mutually_exclusive_group()
    where.add_argument("--image", nargs="?", const="", metavar="NAME", help="the built image too, or the image NAME")
    where.add_argument("--url", type=_http_url, help="a container that runs already, too")
    verify.add_argument("--gpus", metavar="GPUS", help=_GPUS)
    verify.add_argument("--report", type=Path, help="the report's folder (default: reports/NAME beside export/)")
    verify.add_argument(
        "--min-frames",
        type=_number(float, 0, 1),
        help="part of the frames that must come back (default: 0.94 of those that process_frame has the time for)",
    )
    verify.add_argument(
        "--min-psnr",
        type=_number(float, 0, 100),
        default=30.0,
        help="mean PSNR in dB that must be met (default: %(default)s)",
    )
    verify.add_argument(
        "--max-diff",
        type=_number(int, 0, 255),
        default=0,
        help="how far the module may be from the notebook, of 255 (default: %(default)s)",
    )
    verify.add_argument("--skip-notebook", action="store_true", help="for a notebook that cannot run here")
    verify.add_argument(
        "--skip-server", action="store_true", help="do not serve the bundle here, as on a machine without its GPU"
    )
    verify.add_argument(
        "--timeout",
        type=_number(float, 1, 86_400),
        default=300.0,
        help="seconds that the notebook may take (default: %(default)g)",
    )
    verify.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the model; may be repeated"
    )


def _verify(options: argparse.Namespace) -> int:
    from byoc_kit.verify.run import Request, verify
    from byoc_kit.verify.streamed import Limits
    from byoc_kit.verify.target import Where

    ways = [] if options.skip_server else [Where()]
    container = Where(image=options.image, url=options.url, gpus=options.gpus)
    if not container.is_here:
        ways.append(container)
    request = Request(
        bundle=options.bundle,
        ways=ways,
        clip=options.clip,
        params=dict(map(_parameter, options.param)),
        report=options.report,
        limits=Limits(options.min_frames, options.min_psnr, options.max_diff),
        with_notebook=not options.skip_notebook,
        timeout_s=options.timeout,
    )
    return verify(request)


def _add_bench(commands: Commands) -> None:
    bench = commands.add_parser("bench", help="measure CPU, latency and memory beside stock pytrickle and ffmpeg")
    bench.set_defaults(run=_bench)
    bench.add_argument("--runs", type=int, default=3, help="how often each is measured (default: %(default)s)")
    bench.add_argument("--seconds", type=float, default=20.0, help="how long a run lasts (default: %(default)g)")
    bench.add_argument(
        "--clip", type=Path, default=Path("notebooks/clips/bigbuckbunny.mp4"), help="a video (default: %(default)s)"
    )
    bench.add_argument("--output", type=Path, default=Path("reports/bench"), help="a folder (default: %(default)s)")
    bench.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these contenders, as in bench.json")
    bench.add_argument("--tools", action="store_true", help="instead, how long check, export, watch and --help take")
    bench.add_argument(
        "--soak",
        nargs="?",
        type=int,
        const=10,
        metavar="MINUTES",
        help="instead, one long run of a slow process_frame: latency and memory must stay as they are (default: 10)",
    )
    bench.add_argument(
        "--preview",
        action="store_true",
        help="instead, the preview in JupyterLab and Chromium beside ipywidgets.Image and jupyter_rfb; with --soak, "
        "it plays so long: memory must stay as it is",
    )
    bench.add_argument(
        "--memory",
        nargs="?",
        const="all",
        metavar="SCENARIO",
        help="instead, the same again and again, as 100 streams: memory and threads must stay as they are",
    )
    bench.add_argument("--times", type=int, help="with --memory: how often (default: the scenario's own number)")


def _bench(options: argparse.Namespace) -> int:
    if options.tools:
        from byoc_kit.bench.tools import bench_tools

        return bench_tools(sorted(Path("notebooks").glob("*.ipynb")), options.output)
    if options.preview and options.soak is not None:
        from byoc_kit.bench.preview_soak import soak_preview

        return soak_preview(options.clip, minutes=options.soak, output=options.output)
    if options.memory is not None:
        from byoc_kit.bench.memory import bench_memory

        only = None if options.memory == "all" else options.memory
        return bench_memory(options.clip, only=only, times=options.times, output=options.output)
    if options.soak is not None:
        from byoc_kit.bench.soak import soak

        return soak(options.clip, minutes=options.soak, output=options.output)
    from byoc_kit.bench.run import Request, bench

    request = Request(
        runs=options.runs, seconds=options.seconds, clip=options.clip, output=options.output, only=options.only
    )
    if options.preview:
        from byoc_kit.bench.preview_run import bench_preview

        return bench_preview(request)
    return bench(request)


def _demo(options: argparse.Namespace) -> int:
    from byoc_kit.demo import demo

    return demo(options.notebook, base_image=options.base_image)


def _completion(options: argparse.Namespace) -> None:
    try:
        from argcomplete.shell_integration import shellcode
    except ModuleNotFoundError as error:
        raise ByocKitError("completion needs argcomplete; install it with pip") from error

    sys.stdout.write(shellcode(["byoc-kit"], shell=options.shell))


def _number(kind: type[N], least: float, most: float) -> Callable[[str], N]:
    """Return what reads an argument as a number of a range."""

    def read(text: str) -> N:
        with suppress(ValueError):
            if least <= (number := kind(text)) <= most:
                return number
        msg = f"{text} is no {'whole ' if kind is int else ''}number from {least:g} to {most:g}"
        raise argparse.ArgumentTypeError(msg)

    return read


def _http_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        msg = f"{text} is no http:// or https:// URL"
        raise argparse.ArgumentTypeError(msg)
    return text


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        msg = f"--param {text} is no NAME=VALUE"
        raise ByocKitError(msg)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _add_network(commands: Commands) -> None:
    network = commands.add_parser(
        "network", help="run a local trickle server and orchestrator; it advertises what `serve` serves"
    )
    network.set_defaults(run=_network)
    network.add_argument("ai_models", type=Path, help="aiModels.json, or a bundle")
    network.add_argument("--host", default="127.0.0.1")
    network.add_argument("--port", type=_number(int, 0, 65_535), default=8935)


def _network(options: argparse.Namespace) -> None:
    import asyncio

    from byoc_kit.background import set_at_signal
    from byoc_kit.network.models import read_models
    from byoc_kit.network.orchestrator import Orchestrator

    path: Path = options.ai_models
    orchestrator = Orchestrator(read_models(path / "aiModels.json" if path.is_dir() else path))

    async def run() -> None:
        stopped = set_at_signal()
        async with orchestrator.run(options.host, options.port) as url:
            print(f"orchestrator at {url}; Ctrl-C ends it. Start a stream with:", flush=True)
            body = json.dumps({"model_id": next(iter(orchestrator.models), "MODEL_ID")})
            print(f"  curl {url}/stream/start -H content-type:application/json -d '{body}'", flush=True)
            await stopped.wait()

    asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
