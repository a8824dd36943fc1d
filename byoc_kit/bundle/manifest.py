"""``bundle.json``: describes a bundle, and has the hashes of its files as the export wrote them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from byoc_kit import PYTHON
from byoc_kit.bundle.module_map import read_exported, split_module, text_sha256
from byoc_kit.core.bundle_reader import MANIFEST, BundleError
from byoc_kit.core.capability import Capability
from byoc_kit.notebook.declarations import AssetFile
from byoc_kit.notebook.notebook_file import Notebook

PROCESSOR = "processor.py"
_HASHES = "files"


def describe(
    notebook: Notebook,
    capability: Capability,
    assets: Mapping[str, AssetFile],
    *,
    way_to_notebook: str,
    managed: bool,
    kit_version: str,
) -> dict[str, Any]:
    """Return the manifest's content for a notebook; ``way_to_notebook`` is the path from the bundle to its file."""
    return {
        "name": notebook.stem,
        "title": notebook.title,
        "kit_version": kit_version,
        "python": PYTHON,
        "notebook": way_to_notebook,
        "processor": PROCESSOR,
        "capability": capability.model_dump(exclude_none=True),
        "managed": managed,
        "assets": {name: {"sha256": file.sha256, "size": file.size} for name, file in assets.items()},
    }


def render_manifest(content: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    """Render the manifest with the hash of each file; its own hash is of its content without these hashes."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return _dump({**content, _HASHES: {**hashes, MANIFEST: _content_sha256(content)}})


def read_manifest(bundle: Path) -> dict[str, Any]:
    """Return the content of a bundle's manifest; empty if it is missing or damaged."""
    try:
        content = json.loads((bundle / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def edited_files(bundle: Path) -> list[str]:
    """Return the names of the files that were changed since the export wrote them; a missing file does not count.

    If the manifest has no hashes, only ``processor.py`` is checked: the source map has hashes of its parts.
    """
    content = read_manifest(bundle)
    hashes = content.pop(_HASHES, None)
    if not isinstance(hashes, dict):
        return [PROCESSOR] if _is_module_edited(bundle) else []
    now = {name: _sha256(bundle / name) for name in hashes if name != MANIFEST}
    edited = [name for name, sha256 in now.items() if sha256 is not None and sha256 != hashes[name]]
    return [*edited, *([MANIFEST] if _content_sha256(content) != hashes.get(MANIFEST) else [])]


def _is_module_edited(bundle: Path) -> bool:
    try:
        module = (bundle / PROCESSOR).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError):
        return True
    try:
        exported = read_exported(bundle)
        parts = split_module(module, exported.markers)
    except BundleError:  # its original content is unknown
        return True
    sections = {cell.marker: cell.section_sha256 for cell in exported.cells if cell.section_sha256}
    return (
        text_sha256(parts.own) != exported.own_sha256
        or text_sha256(parts.imports) != exported.imports_sha256
        or {marker: text_sha256(text) for marker, text in parts.sections.items()} != sections
    )


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(with_unix_lines(path.read_bytes())).hexdigest()
    except OSError:
        return None


def with_unix_lines(text: bytes) -> bytes:
    """Return a text with LF line ends: Git on Windows checks a bundle's files out with CRLF."""
    return text.replace(b"\r\n", b"\n")


def _content_sha256(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(_dump(content).encode()).hexdigest()


def _dump(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"
