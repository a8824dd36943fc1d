"""Runs the exported module in a new interpreter that has only the locked requirements, as its image will.

They are linked as they are installed here. Nothing is downloaded or copied, so it needs no network and almost no time,
however large torch is.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

import byoc_kit
from byoc_kit.bundle.lock import HEADLESS, KIT
from byoc_kit.bundle.wheels import read_lock
from byoc_kit.core.bundle_reader import Bundle
from byoc_kit.errors import ByocKitError
from byoc_kit.system.concurrency import on_thread
from byoc_kit.system.processes import Tail, running
from byoc_kit.verification.later_streams import UNFINISHED, Memory
from byoc_kit.verification.replay import Fault, Replay, Task

# After the standard library, like site-packages: cv2 inserts a folder of its own as the second.
_MAIN = "import sys; sys.path.append(sys.argv[1]); from byoc_kit.verification.isolated import main; main(*sys.argv[2:])"


async def replay_module(bundle: Bundle, task: Task, *, timeout_s: float) -> Replay:
    """Run the task with the bundle's module, in the bundle's folder, as in its image."""
    site, task_file = task.folder / "site", task.save()
    try:
        locked = read_lock(bundle.folder)
        await on_thread(partial(link_site, locked, site), name="link-site")
    except (LinkedSiteError, OSError, ValueError) as error:
        return Replay.broken(task, Fault.LOCK, _why_no_site(error))
    # -I and -S leave only the standard library on the path, without site-packages and the working folder.
    command = [sys.executable, "-I", "-S", "-B", "-c", _MAIN, str(site), str(task_file), str(bundle.folder.resolve())]
    log, code = Tail(), None
    async with running(command, log, folder=bundle.folder, ends_with=signal.SIGKILL) as process:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                code = await process.ended()
    is_in_time = code is not None
    found = Replay.load(task.folder)
    late = f"was not through after {timeout_s:g} s; see --timeout"
    said = f"exit code {code}: {log.last or 'it said nothing'}" if is_in_time else late
    if found is not None and found.memory == UNFINISHED:  # the first stream's result is still valid
        return replace(found, memory=Memory(f"the second stream: {said}", is_failure=is_in_time))
    return found if found is not None and is_in_time else Replay.broken(task, Fault.RUN, said)


def _why_no_site(error: Exception) -> str:
    if isinstance(error, LinkedSiteError):
        return str(error)
    return f"requirements.lock cannot be read ({error}); export the notebook again"


class LinkedSiteError(ByocKitError):
    """The locked requirements are not installed here in their locked versions."""


def link_site(locked: Mapping[str, str], folder: Path) -> None:
    """Link the locked distributions, by name and version, and always the kit, into a folder for ``sys.path``.

    A folder that belongs to one distribution is linked whole; a folder that several share is linked file by file.
    Raises ``LinkedSiteError`` if a distribution is not installed, or in another version than the locked one.
    """
    installed = _installed()
    for headed, headless in HEADLESS.items():  # the same library, installed here with its windows
        if headless in locked and headless not in installed and headed in installed:
            installed[headless] = installed.pop(headed)
    _require_locked(locked, installed)
    files = {name: _files(found) for name, found in installed.items()}
    owners: dict[Path, set[str]] = defaultdict(set)
    for name, found in installed.items():
        for top in files[name]:
            owners[_base(found) / top].add(name)
    folder.mkdir(parents=True)
    for name in locked.keys() - {KIT}:
        for top, inner in files[name].items():
            source = _base(installed[name]) / top
            if len(owners[source]) == 1 or source.is_file():
                _link(source, folder / top)
                continue
            for path in inner:
                _link(_base(installed[name]) / path, folder / path)
        for source in _editable(installed[name]):
            _link(source, folder / source.name)
    _link(Path(byoc_kit.__file__).parent, folder / "byoc_kit")


def _installed() -> dict[str, Distribution]:
    """Return the distributions by canonical name; if there are two, the one that an import finds."""
    found: dict[str, Distribution] = {}
    for one in distributions():
        found.setdefault(canonicalize_name((one.metadata.get_all("Name") or [""])[0]), one)
    return found


def _require_locked(locked: Mapping[str, str], installed: Mapping[str, Distribution]) -> None:
    wrong = []
    for name, version in sorted(locked.items()):
        found = installed.get(name)
        if found is None:
            wrong.append(f"{name} {version} is locked and not installed")
        elif Version(found.version).public != version:
            wrong.append(f"{name} {version} is locked, {found.version} is installed")
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        msg = f"{wrong[0]}{more}; export the notebook again"
        raise LinkedSiteError(msg)


def _files(found: Distribution) -> dict[str, list[str]]:
    """Return the files that a distribution has installed in site-packages, by the first part of their paths."""
    record = found.read_text("RECORD")
    lines = record.splitlines() if record else [f"{path}," for path in found.files or []]
    tops: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        path = line.rsplit(",", 2)[0].strip('"') if record else line[:-1]
        top = path.partition("/")[0]
        if top not in {"..", "__pycache__", ""} and not top.endswith(".pth"):
            tops[top].append(path)
    return tops


def _editable(found: Distribution) -> Iterator[Path]:
    """Yield the packages of an editable distribution."""
    if not json.loads(found.read_text("direct_url.json") or "{}").get("dir_info", {}).get("editable"):
        return
    named = (found.read_text("top_level.txt") or "").split()
    for name in named or [path.stem for path in _linked_by_pth(found)]:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            yield origin.parent if origin.name == "__init__.py" else origin


def _linked_by_pth(found: Distribution) -> Iterator[Path]:
    for pth in (path for path in found.files or [] if path.suffix == ".pth"):
        for line in Path(str(found.locate_file(pth))).read_text().splitlines():
            if Path(line).is_dir():
                yield from (path.parent for path in Path(line).glob("*/__init__.py"))


def _base(found: Distribution) -> Path:
    return Path(str(found.locate_file("")))


def _link(source: Path, target: Path) -> None:
    if source.exists() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())
