"""Asks pip, once, which files it would install, and to build wheels where there are none."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from byoc_kit import PYTHON
from byoc_kit.errors import ByocKitError

_OPTIONS = ("--disable-pip-version-check", "--no-input", "--quiet", "--retries", "1")
_EPOCH = "1580601600"  # wheels contain times; a fixed time makes the bytes the same each time
_UNREACHED = ("connection broken", "Could not fetch URL", "connection error")
NO_HASHES = "lock without hashes, with `byoc-kit export --no-hashes`"

_SCHEMA = 1


class LockError(ByocKitError):
    """Requirements cannot be locked."""


class NotFoundError(LockError):
    """pip finds no file for one of the requirements."""


def report(requirements: Sequence[str], *options: str) -> list[dict[str, Any]]:
    """Return pip's report on what it would install for requirements in an empty environment like this one.

    Raises ``NotFoundError`` if pip does not find one of them, and ``LockError`` if it cannot be asked.
    """
    with tempfile.TemporaryDirectory(prefix="byoc-kit-pip-") as scratch:
        path = Path(scratch) / "report.json"
        listed = Path(scratch) / "requirements.txt"
        listed.write_text("".join(f"{line}\n" for line in requirements))
        asked = ["--dry-run", "--ignore-installed", "--report", str(path), *options, "--requirement", str(listed)]
        done = _run("install", *asked)
        if done.returncode:
            raise _why_no_report(done)
        try:
            installs: list[dict[str, Any]] = json.loads(path.read_bytes())["install"]
        except (OSError, ValueError, KeyError) as error:
            msg = f"pip made no report ({type(error).__name__}); update it to 22.2 or newer, or {NO_HASHES}"
            raise LockError(msg) from None
    return installs


def build_wheel(name: str, requirement: str, folder: Path) -> Path:
    """Build a wheel of a folder, an archive or a URL in an empty folder. The same source gives the same bytes.

    Raises ``LockError`` if that fails.
    """
    with tempfile.TemporaryDirectory(prefix="byoc-kit-build-") as scratch:
        # setuptools keeps a build beside the source, and would pack files that were deleted since
        config = Path(scratch) / "setup.cfg"
        config.write_text(f"[build]\nbuild_base = {scratch}/build\n")
        environment = {"SOURCE_DATE_EPOCH": _EPOCH, "DIST_EXTRA_CONFIG": str(config)}
        done = _run("wheel", "--no-deps", "--wheel-dir", str(folder), requirement, **environment)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = _last_error(done) or f"exit code {done.returncode}"
        command = f"pip wheel --no-deps {shlex.quote(requirement)}"
        msg = f"no wheel of {name} can be built here ({reason}); see what `{command}` says"
        raise LockError(msg)
    return wheels[0]


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", arguments[0], *_OPTIONS, *arguments[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def _why_no_report(done: subprocess.CompletedProcess[str]) -> LockError:
    reason = _last_error(done)
    if "No module named pip" in done.stderr:
        return LockError(f"this environment has no pip, which knows the hashes; `python -m ensurepip`, or {NO_HASHES}")
    if any(text in done.stderr for text in _UNREACHED):
        return LockError(f"pip cannot reach its index, which knows the hashes; connect to it, or {NO_HASHES}")
    prefix = "No matching distribution found for "
    if reason.startswith(prefix):
        return _not_found(reason.removeprefix(prefix).partition(" (from")[0])
    if alone := re.search(r"Cannot install (\S+) because these package versions have conflicting", done.stderr):
        return _not_found(alone[1])  # pip's text for a requirement that it does not find, if there are constraints
    return LockError(f"pip gives no hashes ({reason or f'exit code {done.returncode}'}); fix that, or {NO_HASHES}")


def _not_found(requirement: str) -> NotFoundError:
    wanted = requirement.replace("===", "==")
    return NotFoundError(
        f"pip finds no {wanted} here; let PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS name where it is, or {NO_HASHES}"
    )


def _last_error(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in done.stderr.splitlines()]
    said = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return said[-1].rstrip(".") if said else ""


def platform_tag() -> str:
    """Return the platform of a lock's wheels, such as ``linux x86_64, CPython 3.11``."""
    system, _, machine = sysconfig.get_platform().partition("-")
    implementation = {"cpython": "CPython"}.get(sys.implementation.name, sys.implementation.name)
    return f"{system} {machine}, {implementation} {PYTHON}"


def cache_path() -> Path:
    """Return the cache's file, which may be deleted at any time."""
    folder = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(folder) if Path(folder).is_absolute() else Path.home() / ".cache"
    return root / "byoc-kit" / "hashes.json"


def recall(kind: str) -> dict[str, Any]:
    """Return the cached values of a kind for this platform; a damaged file counts as empty."""
    found = _read().get(kind)
    known = found.get(platform_tag()) if isinstance(found, dict) else None
    return known if isinstance(known, dict) else {}


def remember(kind: str, new: Mapping[str, Any]) -> None:
    """Cache more values of a kind. The file is replaced as a whole; it is not an error if it cannot be written."""
    if not new:
        return
    content = _read()
    kinds = content.get(kind)
    platforms = kinds if isinstance(kinds, dict) else {}
    content[kind] = {**platforms, platform_tag(): {**recall(kind), **new}}
    path = cache_path()
    _unless_denied(lambda: path.parent.mkdir(parents=True, exist_ok=True))
    _unless_denied(lambda: _replace(path, json.dumps({**content, "schema": _SCHEMA}, indent=1, sort_keys=True)))


def _read() -> dict[str, Any]:
    try:
        content = json.loads(cache_path().read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) and content.get("schema") == _SCHEMA else {}


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".hashes-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _unless_denied(act: Callable[[], object]) -> None:
    try:
        act()
    except OSError:  # without the cache, the next export takes some seconds more
        return
