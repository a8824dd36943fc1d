"""The kit itself as a wheel, packed from the files it runs from: an installed or an editable copy alike."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import byoc_kit
from byoc_kit.errors import ByocKitError

_EPOCH = (2020, 2, 2, 0, 0, 0)  # zip files carry times; a fixed one keeps the bytes the same
_LEFT_OUT = {"__pycache__", ".ipynb_checkpoints"}


def kit_wheel() -> tuple[str, bytes]:
    """Return the wheel's file name and bytes; the same sources give the same bytes.

    Raises :class:`ByocKitError` where the kit runs from files that are not installed.
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
