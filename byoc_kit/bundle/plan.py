"""Plans a bundle's files from a notebook, and then writes all of them or none."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from byoc_kit import __version__
from byoc_kit.bundle.announce import IMAGE_OVERRIDES, render_announcements
from byoc_kit.bundle.dockerfile import render_dockerfile, render_dockerignore
from byoc_kit.bundle.files import copy_checked
from byoc_kit.bundle.lock import LOCK, make_lock, missing_modules
from byoc_kit.bundle.manifest import PROCESSOR, describe, edited_files, read_manifest, render_manifest, with_unix_lines
from byoc_kit.bundle.module_map import render_map
from byoc_kit.bundle.sbom import SBOM, render_sbom
from byoc_kit.bundle.weights import put_weights, resolve_weights
from byoc_kit.bundle.wheels import put_wheels
from byoc_kit.core.assets import FOLDER
from byoc_kit.core.bundle_reader import MANIFEST, MAP, SCHEMA, BundleError
from byoc_kit.errors import printable
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook, checked_module
from byoc_kit.notebook.declarations import collect, require_capability
from byoc_kit.notebook.findings import Finding
from byoc_kit.notebook.names import imports, is_for_notebooks
from byoc_kit.notebook.params_class import params_schema, render_schema
from byoc_kit.remote.hub import MODULE as HUB_MODULE
from byoc_kit.remote.locked import ASSETS, LockedFile
from byoc_kit.system.files import sha256_of

OPTIONAL = (SCHEMA, IMAGE_OVERRIDES, ASSETS)
"""Files that not every export writes. One of an earlier export is removed."""

INSTALLED = "installed"
"""The device of the installed torch."""

_OURS = re.compile(r"[0-9a-f]{64}(?:\.[A-Za-z0-9]{1,16})?")


@dataclass(frozen=True)
class Plan:
    """What an export will write: file names, relative to ``target``, and their bytes.

    ``assets`` maps names in the bundle to files to copy, which may be larger than the memory. ``wheels`` are the lock's
    wheels that no index has. ``weights`` are the files of remote assets to copy, by their place. ``findings`` are the
    warnings and notes about the notebook. ``content`` is the manifest's content without the hashes of files.
    """

    target: Path
    files: Mapping[str, bytes]
    assets: Mapping[str, Path] = field(default_factory=dict)
    wheels: Mapping[str, bytes] = field(default_factory=dict)
    weights: Mapping[str, LockedFile] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict)


def plan(
    analysis: Analysis,
    target: Path,
    *,
    device: str | None = None,
    with_hashes: bool = True,
    managed: bool = False,
    bake_weights: bool | None = None,
) -> Plan:
    """Plan the bundle of a notebook; writes nothing and runs none of the notebook's code.

    ``device`` is that of torch's build, by default the installed one. Hashes that are not known yet are asked of pip.
    ``managed`` if an orchestrator's ai-worker is to start the container. ``bake_weights`` says whether the image gets
    the files of remote assets, by default if they are small; what of them is not in the cache is fetched.
    Raises ``ByocKitError`` if the notebook has faults, a module is not installed, or an asset cannot be had.
    """
    own = plan_own(analysis, target, managed=managed)
    # An import that only a notebook has is guarded where it stands, so it is not locked.
    imported = [one for one in imports(analysis) if not is_for_notebooks(one.name)]
    missing = missing_modules(i.name for i in imported)
    weights = resolve_weights(analysis, bake=bake_weights)
    names = {i.name for i in imported} - missing | ({HUB_MODULE} if weights.needs_hub else set())
    lock = make_lock(names, target, missing=missing, device=device, with_hashes=with_hashes)
    capability = require_capability(analysis)
    dockerfile = render_dockerfile(
        capability,
        has_assets=bool(own.assets),
        has_hashes=lock.has_hashes,
        has_remote=bool(weights.assets),
        is_baked=weights.is_baked,
    )
    files = {
        PROCESSOR: own.files[PROCESSOR],
        MAP: own.files[MAP],
        LOCK: lock.text.encode(),
        SBOM: render_sbom(lock, capability).encode(),
        "Dockerfile": dockerfile.encode(),
        ".dockerignore": render_dockerignore(has_remote=bool(weights.assets)).encode(),
        **({ASSETS: weights.lock.encode()} if weights.assets else {}),
        **{name: data for name, data in own.files.items() if name not in {PROCESSOR, MAP}},
    }
    content = {**own.content, "lock": {"device": device, "with_hashes": with_hashes}}
    if bake_weights is not None:
        content["bake_weights"] = bake_weights
    files[MANIFEST] = render_manifest(content, files).encode()
    findings = tuple(check_notebook(analysis))
    return replace(own, files=files, content=content, wheels=lock.wheels, weights=weights.copied, findings=findings)


def plan_own(analysis: Analysis, target: Path, *, managed: bool = False, kit_version: str = __version__) -> Plan:
    """Plan the files that depend only on the notebook: all but the lock.

    Raises ``ByocKitError`` if the notebook has faults.
    """
    module, capability, assets = checked_module(analysis), require_capability(analysis), collect(analysis)
    fields = params_schema(analysis)
    schema = render_schema(fields) if fields else None
    schema_sha256 = hashlib.sha256(schema.encode()).hexdigest() if schema else None
    files = {
        PROCESSOR: module.source,
        MAP: render_map(analysis.notebook, module),
        **render_announcements(capability, managed=managed, kit_version=kit_version, params_sha256=schema_sha256),
        **({SCHEMA: schema} if schema else {}),
    }
    path = (analysis.folder or Path()) / analysis.name
    way = _relative(path, target)
    content = describe(
        analysis.notebook, capability, assets, way_to_notebook=way, managed=managed, kit_version=kit_version
    )
    copied = {file.target: file.source for file in assets.values()}
    return Plan(target, {name: text.encode() for name, text in files.items()}, copied, content=content)


def plan_again(
    analysis: Analysis,
    target: Path,
    *,
    device: str | None = None,
    with_hashes: bool | None = None,
    managed: bool | None = None,
    bake_weights: bool | None = None,
) -> Plan:
    """Plan the bundle with the options of the one in ``target``, if any; the arguments override them.

    ``INSTALLED`` is the device of the installed torch.
    """
    manifest = read_manifest(target)
    lock = manifest.get("lock")
    said = {"device": None, "with_hashes": True, **(lock if isinstance(lock, dict) else {})}
    device = said["device"] if device is None else device
    return plan(
        analysis,
        target,
        device=None if device == INSTALLED else device,
        with_hashes=said["with_hashes"] if with_hashes is None else with_hashes,
        managed=manifest.get("managed") is True if managed is None else managed,
        bake_weights=manifest.get("bake_weights") if bake_weights is None else bake_weights,
    )


def write(plan: Plan, *, taken_back: Collection[str] = (), force: bool = False) -> None:
    """Write a plan as ``staged`` does."""
    with staged(plan, taken_back=taken_back, force=force) as put:
        put()


@contextmanager
def staged(plan: Plan, *, taken_back: Collection[str] = (), force: bool = False) -> Iterator[Callable[[], None]]:
    """Write a plan's bundle beside the target, and yield a function that puts it in the target's place.

    So a bundle is whole or absent. Files of the target that the plan does not name, such as wheels or notes, stay, but
    for assets and ``OPTIONAL`` files of an earlier export. An edited file is written over only with ``force``, or where
    ``taken_back`` has its name. Raises ``BundleError`` for such an edit, if the target is something else than a
    bundle or an empty folder, or cannot be written; the target is then as it was.
    """
    target = plan.target.resolve()  # a link to a bundle stays a link
    with _writing(plan.target):
        if target.exists() and not (target / MANIFEST).is_file() and (not target.is_dir() or any(target.iterdir())):
            msg = f"{plan.target} exists and is not a bundle; choose another folder with --output, or remove it"
            raise BundleError(msg)
        if not force:
            require_unedited(plan, taken_back)
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent, ignore_cleanup_errors=True)
    with scratch as name:
        new, old = Path(name) / "new", Path(name) / "old"
        with _writing(plan.target):
            _stage(plan, target, new)

        def put() -> None:
            with _writing(plan.target):
                _swap(new, target, old=old)

        yield put


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        is_below_a_file = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "a part of its path is a file" if is_below_a_file else error.strerror or error
        msg = f"cannot write {target}: {reason}; choose another folder with --output"
        raise BundleError(msg) from error


def require_unedited(plan: Plan, taken_back: Collection[str] = ()) -> None:
    """Raise ``BundleError`` if writing a plan would lose changes in the bundle's folder.

    That is the case for an edited file whose name is not in ``taken_back``, and for the bundle of another notebook.
    """
    other = read_manifest(plan.target).get("notebook")
    if isinstance(other, str) and other != plan.content.get("notebook") and (plan.target / other).is_file():
        msg = f"{plan.target} is the bundle of {printable(other)}; choose another folder with --output, or use --force"
        raise BundleError(msg)
    edited = [name for name in edited_files(plan.target) if name not in taken_back and _is_replaced(plan, name)]
    if not edited:
        return
    names = " and ".join(edited)
    was, them = ("was", "it") if len(edited) == 1 else ("were", "them")
    back = f"`byoc-kit sync {shlex.quote(str(plan.target))}` takes it back"
    way = back if edited == [PROCESSOR] else "keep a copy"
    msg = f"{names} in {plan.target} {was} edited since the export; {way}, `byoc-kit export --force` overwrites {them}"
    raise BundleError(msg)


def _is_replaced(plan: Plan, name: str) -> bool:
    """Whether writing the plan would change or remove a file of the bundle."""
    try:
        return with_unix_lines((plan.target / name).read_bytes()) != plan.files.get(name)
    except OSError:
        return False


def _stage(plan: Plan, target: Path, new: Path) -> None:
    """Fill ``new`` with the target's files, and the plan's files in place of its own."""
    new.mkdir()
    if target.exists():
        shutil.copytree(target, new, dirs_exist_ok=True, symlinks=True, copy_function=_link)
    for name, data in plan.files.items():
        (new / name).unlink(missing_ok=True)  # it is still the target's own file
        (new / name).write_bytes(data)
    for name in OPTIONAL:
        if name not in plan.files:
            (new / name).unlink(missing_ok=True)
    put_assets(plan.assets, new)
    put_weights(plan.weights, new)
    put_wheels(plan.wheels, new)


def put_assets(assets: Mapping[str, Path], bundle: Path) -> None:
    """Replace the bundle's assets by ``assets``, which maps each place in the bundle to its file.

    They are copied, not linked: writing a file beside the notebook must not change the bundle. Raises ``BundleError``
    if a file has changed since it was planned.
    """
    folder = bundle / FOLDER
    if folder.is_symlink():
        folder.unlink()
    if folder.is_dir():
        for old in list(folder.iterdir()):
            if _OURS.fullmatch(old.name) and f"{FOLDER}/{old.name}" not in assets:
                old.unlink()
    for name, source in sorted(assets.items()):
        path = bundle / name
        sha256 = path.name.partition(".")[0]
        path.parent.mkdir(exist_ok=True)
        if path.is_symlink() or not path.is_file() or sha256_of(path) != sha256:
            path.unlink(missing_ok=True)
            copy_checked(source, path, sha256)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _link(source: str, target: str) -> None:
    """Link a file, or copy it if that does not work: a wheelhouse has gigabytes."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _swap(new: Path, target: Path, *, old: Path) -> None:
    if not target.exists():
        new.rename(target)
        return
    if target.samefile(Path()):  # for `byoc-kit sync .`: the shell's folder must not disappear
        _swap_contents(new, target, old=old)
        return
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise


def _swap_contents(new: Path, target: Path, *, old: Path) -> None:
    """Replace the content of ``target`` by that of ``new``; ``target`` stays the same folder."""
    old.mkdir()
    moved: list[tuple[Path, Path]] = []
    try:
        for source, goal in ((target, old), (new, target)):
            for path in list(source.iterdir()):
                path.rename(goal / path.name)
                moved.append((path, goal / path.name))
    except BaseException:
        for was, now in reversed(moved):
            now.rename(was)
        raise


def _relative(notebook_path: Path, target: Path) -> str:
    """Return the path from the bundle to the notebook; links are resolved first, since `..` follows them."""
    notebook = notebook_path.parent.resolve() / notebook_path.name
    return Path(os.path.relpath(notebook, target.resolve())).as_posix()
