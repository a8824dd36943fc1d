"""The wheels that a bundle carries: always the kit's own, and on request every other, for a build without network."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

import byoc_kit
from byoc_kit.bundle.lock import LOCK, WHEELS, Pin, parse_lock
from byoc_kit.errors import ByocKitError
from byoc_kit.system.files import sha256_of

_EPOCH = (2020, 2, 2, 0, 0, 0)  # zip files carry times; a fixed one keeps the bytes the same
_LEFT_OUT = {"__pycache__", ".ipynb_checkpoints"}


def kit_wheel() -> tuple[str, bytes]:
    """Return the wheel's file name and bytes; the same sources give the same bytes.

    Raises ``ByocKitError`` if the kit runs from files that are not installed.
    """
    try:
        found = distribution("byoc-kit")
    except PackageNotFoundError:
        msg = "byoc-kit is not installed here, only on the path; install it with `pip install --editable`"
        raise ByocKitError(msg) from None
    stem = f"byoc_kit-{found.version}"
    info = f"{stem}.dist-info"
    package = Path(byoc_kit.__file__).parent
    files = {
        f"byoc_kit/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and not _LEFT_OUT & set(path.relative_to(package).parts)
    }
    files[f"{info}/METADATA"] = (found.read_text("METADATA") or "").encode()
    files[f"{info}/entry_points.txt"] = (found.read_text("entry_points.txt") or "").encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: byoc-kit\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{name},{_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return f"{stem}-py3-none-any.whl", packed.getvalue()


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


class WheelError(ByocKitError):
    """A wheel that could not be had."""


def put_kit_wheel(bundle: Path) -> None:
    """Put the running kit's wheel into the bundle, in place of any other version."""
    name, data = kit_wheel()
    put_wheels({name: data}, bundle)


def put_wheels(wheels: Mapping[str, bytes], bundle: Path) -> None:
    """Put wheels into the bundle, each in place of all others of its distribution."""
    folder = bundle / WHEELS
    names = {parse_wheel_filename(name)[0] for name in wheels}
    for path, name, _ in list(_wheels_in(folder)):
        if name in names and path.name not in wheels:
            path.unlink()
    for name, data in wheels.items():
        folder.mkdir(exist_ok=True)
        path = folder / name
        if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
            path.unlink(missing_ok=True)  # it may be the same file as that of an earlier bundle
            path.write_bytes(data)


def collect_wheelhouse(bundle: Path) -> None:
    """Download every wheel of the lock that the bundle does not carry yet. Raises ``WheelError``.

    A wheel with the name and version of a locked one, but with other bytes, is removed.
    """
    locked = _read(bundle)
    missing = _missing(locked, bundle)
    if not missing:
        return
    gone = sorted(one.name for one in missing if one.is_carried)
    if gone:
        msg = f"{', '.join(gone)}: the wheel that was built is not in {bundle / WHEELS}; export the notebook again"
        raise WheelError(msg)
    stale = {(one.name, one.version) for one in missing}
    for path, name, version in list(_wheels_in(bundle / WHEELS)):
        if (name, version) in stale:
            path.unlink()
    _download(bundle, missing)


def missing_wheels(bundle: Path) -> dict[str, str]:
    """Return the locked distributions, name and version, whose wheel the bundle does not carry.

    Raises ``WheelError`` for a bundle whose lock cannot be read.
    """
    return {one.name: one.version for one in _missing(_read(bundle), bundle)}


def read_lock(bundle: Path) -> dict[str, str]:
    """Read the names and public versions of a bundle's lock.

    Raises ``OSError``, or ``ValueError`` for a file that is not a lock.
    """
    return {one.name: Version(one.version).public for one in parse_lock((bundle / LOCK).read_text())}


def _missing(locked: Iterable[Pin], bundle: Path) -> list[Pin]:
    carried = {(name, version): path for path, name, version in _wheels_in(bundle / WHEELS)}
    found = ((one, carried.get((one.name, one.version))) for one in locked)
    return [one for one, path in found if path is None or (one.sha256 and sha256_of(path) != one.sha256)]


def _read(bundle: Path) -> list[Pin]:
    try:
        return parse_lock((bundle / LOCK).read_text())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        msg = f"{bundle / LOCK} cannot be read ({reason}); export the notebook again"
        raise WheelError(msg) from None


def _wheels_in(folder: Path) -> Iterator[tuple[Path, str, str]]:
    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, _, _ = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        yield path, str(name), str(version)


def _download(bundle: Path, missing: Iterable[Pin]) -> None:
    options = ["--only-binary", ":all:", "--disable-pip-version-check", "--progress-bar", "off", "--quiet"]
    pins = [f"{one.name}==={one.version}" + (f" --hash=sha256:{one.sha256}" if one.sha256 else "") for one in missing]
    command = [sys.executable, "-m", "pip", "download", *options, "--no-deps", "--dest", str(bundle / WHEELS)]
    done = subprocess.run(
        [*command, "--requirement", "/dev/stdin"],
        input="\n".join(pins), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.stderr.write("".join(done.stderr.splitlines(keepends=True)[-5:]))
        msg = f"pip download ended with exit code {done.returncode}; fix what its last lines say, above"
        raise WheelError(msg)
