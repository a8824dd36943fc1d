"""``python -m benchmarks --tools``: how long a person waits for the commands that are typed all day."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import IO

from benchmarks import machine
from benchmarks.record import dump, load_warnings
from benchmarks.run import say
from benchmarks.table import verdict_lines, warning_lines
from benchmarks.targets import Verdict, at_most
from byoc_kit.errors import ByocKitError
from byoc_kit.system.addresses import free_port

_TIMES = 15
_SAVES = 7
_IMPORT = "import time; t = time.perf_counter(); import byoc_kit; print(1000 * (time.perf_counter() - t))"
# What the watcher logs when a version is served.
_SERVED = "serving the new version"


@dataclass(frozen=True)
class Wait:
    """One thing that is waited for: each time in ms, and what the median must not exceed."""

    name: str
    times_ms: list[float]
    limit_ms: float

    @property
    def verdict(self) -> Verdict:
        """The median against its limit."""
        return at_most(f"{self.name}, median of {len(self.times_ms)}", median(self.times_ms), self.limit_ms, " ms")


def bench_tools(notebooks: Sequence[Path], output: Path) -> int:
    """Measure, print a line each, write ``tools.json``; returns 0, or 1 where a target is missed."""
    facts = machine.facts()
    waits = [
        Wait("import byoc_kit", _repeat(_import_ms), 50.0),
        Wait("byoc-kit --help", _repeat(_help_ms), 150.0),
        *(Wait(f"check and export {path.name}, modules imported", _export_ms(path), 150.0) for path in notebooks),
        *(Wait(f"watch {path.name}, from save to served", _watch_ms(path), 300.0) for path in notebooks),
    ]
    verdicts = [wait.verdict for wait in waits]
    warnings = load_warnings(facts["load"])
    output.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": facts,
        "warnings": warnings,
        "waits": [asdict(wait) for wait in waits],
        "targets": [asdict(verdict) for verdict in verdicts],
    }
    dump(content, output / "tools.json")
    lines = [*verdict_lines(verdicts), *warning_lines(warnings), f"wrote {output}/tools.json"]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(any(verdict.is_met is False for verdict in verdicts))


def _repeat(measure: Callable[[], float]) -> list[float]:
    say(f"{measure.__name__.strip('_')}, {_TIMES} times")
    measure()  # the first one fills the disk's cache
    return [measure() for _ in range(_TIMES)]


def _import_ms() -> float:
    done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _help_ms() -> float:
    command = shutil.which("byoc-kit", path=str(Path(sys.executable).parent)) or "byoc-kit"
    started_s = time.perf_counter()
    subprocess.run([command, "--help"], stdout=subprocess.DEVNULL, check=True)
    return 1000 * (time.perf_counter() - started_s)


def _export_ms(notebook: Path) -> list[float]:
    from byoc_kit.bundle.plan import plan, write
    from byoc_kit.notebook.analysis import Analysis
    from byoc_kit.notebook.check import check_notebook
    from byoc_kit.notebook.notebook_file import read_notebook

    with tempfile.TemporaryDirectory(prefix="byoc-kit-bench-") as name:
        target = Path(name) / "bundle"

        def export_ms() -> float:
            started_s = time.perf_counter()
            _ = check_notebook(Analysis(read_notebook(notebook)))
            write(plan(Analysis(read_notebook(notebook)), target))
            return 1000 * (time.perf_counter() - started_s)

        return _repeat(export_ms)


def _watch_ms(notebook: Path) -> list[float]:
    """Save a notebook again and again, with another process_frame each time, while ``byoc-kit watch`` serves it."""
    say(f"watch {notebook.name}, {_SAVES} saves")
    with tempfile.TemporaryDirectory(prefix="byoc-kit-bench-") as name:
        copy = Path(name) / notebook.name
        shutil.copytree(notebook.parent, copy.parent, dirs_exist_ok=True, ignore=shutil.ignore_patterns("regression"))
        arguments = [str(copy), "--output", f"{name}/bundle", "--port", str(free_port())]
        command = [sys.executable, "-m", "byoc_kit.cli", "watch", *arguments]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None  # noqa: S101  # a pipe was asked for
            try:
                _until_served(process.stderr)
                return [_saved_ms(copy, number, process.stderr) for number in range(_SAVES)]
            finally:
                process.terminate()


def _saved_ms(notebook: Path, number: int, log: IO[str]) -> float:
    document = json.loads(notebook.read_text())
    tagged = [cell for cell in document["cells"] if "byoc" in cell["metadata"].get("tags", [])]
    tagged[-1]["source"] = ["".join(tagged[-1]["source"]), f"\n\n# saved {number}"]
    new = notebook.with_suffix(".new")
    new.write_text(json.dumps(document, indent=1))
    started_s = time.perf_counter()
    new.replace(notebook)
    _until_served(log)
    return 1000 * (time.perf_counter() - started_s)


def _until_served(log: IO[str]) -> None:
    for line in log:
        if _SERVED in line:
            return
        if " ERROR " in line:
            raise ByocKitError(line.rstrip())
    msg = "byoc-kit watch ended before it served the notebook; run it by itself to see why"
    raise ByocKitError(msg)
