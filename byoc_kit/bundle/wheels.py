"""The wheels that a bundle carries: always the kit's own, and on request every other, for a build without network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from byoc_kit.bundle.kit_wheel import kit_wheel
from byoc_kit.bundle.plan import WHEELS
from byoc_kit.errors import ByocKitError


class WheelError(ByocKitError):
    """A wheel that could not be had."""


def put_kit_wheel(bundle: Path) -> None:
    """Put the running kit's wheel into the bundle, in place of any other version."""
    folder = bundle / WHEELS
    folder.mkdir(exist_ok=True)
    name, data = kit_wheel()
    for old in folder.glob("byoc_kit-*.whl"):
        if old.name != name:
            old.unlink()
    (folder / name).write_bytes(data)


def collect_wheelhouse(bundle: Path) -> None:
    """Download every wheel of the lock that the bundle does not carry yet. Raises :class:`WheelError`."""
    missing = missing_wheels(bundle)
    wanted = [f"{name}=={version}" for name, version in sorted(missing.items())]
    if not wanted:
        return
    _download(bundle, "--no-deps", *wanted)
    if "torch" in missing:
        # The lock leaves out the libraries that a CUDA build of torch needs; without an index they must lie here too.
        lock, wheels = str(bundle / "requirements.lock"), str(bundle / WHEELS)
        _download(bundle, "--constraint", lock, "--find-links", wheels, f"torch=={missing['torch']}")


def _download(bundle: Path, *arguments: str) -> None:
    options = ["--only-binary", ":all:", "--disable-pip-version-check", "--progress-bar", "off", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(bundle / WHEELS), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        msg = f"pip download ended with exit code {done.returncode}:\n{tail}"
        raise WheelError(msg)


def missing_wheels(bundle: Path) -> dict[str, str]:
    """Return the locked distributions, name and version, whose wheel the bundle does not carry."""
    carried = set()
    for path in (bundle / WHEELS).glob("*.whl"):
        try:
            name, version, _, _ = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        carried.add((str(name), version.public))
    locked = read_lock(bundle)
    return {name: version for name, version in locked.items() if (name, version) not in carried}


def read_lock(bundle: Path) -> dict[str, str]:
    """Read the lock's names and versions."""
    lines = (bundle / "requirements.lock").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(r.name): next(iter(r.specifier)).version for r in requirements}
