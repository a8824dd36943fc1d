"""Fetches files of the Hugging Face Hub. ``huggingface_hub`` does it, and is imported only here.

Its token, its endpoint and its offline variables hold, such as ``HF_TOKEN``, ``HF_ENDPOINT`` and ``HF_HUB_OFFLINE``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from byoc_kit.errors import AssetError, one_line, text_of
from byoc_kit.remote.names import HubName, is_safe
from byoc_kit.remote.progress import Progress
from byoc_kit.remote.store import unwritable
from byoc_kit.remote.web import UnreachableError

_OF_DISKS = {errno.EACCES, errno.EDQUOT, errno.EIO, errno.ENOSPC, errno.EPERM, errno.EROFS}
_TRANSPORTS = ("hf_xet", "httpcore", "httpx", "huggingface_hub", "requests")
MODULE = "huggingface_hub"
_INSTALL = 'pip install "byoc-kit[hub]"'


def resolve(name: HubName) -> tuple[str, list[str]]:
    """Ask the hub for the commit that a revision is, and for the names of the asset's files in it.

    Raises ``AssetError``, and ``UnreachableError`` where trying again may help.
    """
    with _said_plainly(name):
        from huggingface_hub import HfApi

        info = HfApi(library_name="byoc-kit").model_info(name.repo, revision=name.revision)
        files = [one.rfilename for one in info.siblings or []]
    if name.file is not None and name.file not in files:
        raise AssetError(name.shown, "is not in that revision", "correct the file's name", is_missing=True)
    wanted = files if name.file is None else [name.file]
    commit = info.sha or ""
    for file in (commit, *wanted):
        if not is_safe(file):
            reason = f"lists a file that would lie outside its folder: {one_line(file)!r}"
            raise AssetError(name.shown, reason, "do not use that repository")
    if not wanted:
        raise AssetError(name.shown, "has no files", "name another repository or revision", is_missing=True)
    return commit, wanted


def fetch_files(name: HubName, commit: str, files: Iterable[str], store: Path) -> None:
    """Fetch files of a commit into a store. Raises as ``resolve`` does."""
    with _said_plainly(name, store):
        from huggingface_hub import hf_hub_download

        for file in files:
            hf_hub_download(
                name.repo, file, revision=commit, cache_dir=store, library_name="byoc-kit", tqdm_class=_bar_class(file)
            )


def _bar_class(file: str) -> type[Any]:
    """Return a class in place of tqdm that counts as a ``Progress`` does."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):  # type: ignore[misc]  # huggingface_hub is not installed everywhere
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})
            self.counted = Progress(file, options.get("total"), start=options.get("initial") or 0)

        def update(self, n: float | None = 1) -> None:
            self.counted.advance(int(n or 0))

        def close(self) -> None:
            self.counted.close()
            super().close()

    return Bar


@contextmanager
def _said_plainly(name: HubName, store: Path | None = None) -> Iterator[None]:
    """Turn the errors of ``huggingface_hub`` into one sentence each."""
    try:
        from huggingface_hub import errors
    except ImportError:
        raise AssetError(name.shown, "needs huggingface_hub, which is not installed", _INSTALL) from None
    try:
        yield
    except AssetError:
        raise
    except errors.LocalEntryNotFoundError as error:
        raise _unreachable(name, error.__cause__ or error) from None
    except (errors.HfHubHTTPError, errors.EntryNotFoundError) as error:
        raise _of_answer(name, error) from None
    except OSError as error:
        if store is not None and error.errno in _OF_DISKS:
            raise unwritable(name, store, error) from None
        raise _unreachable(name, error) from None
    except Exception as error:
        if not type(error).__module__.startswith(_TRANSPORTS):
            raise
        raise _unreachable(name, error) from None


def _of_answer(name: HubName, error: Exception) -> AssetError:
    """Return the error for what the hub answered."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        hint = f"ask for access at the page of {name.repo}, and set HF_TOKEN"
        return AssetError(name.shown, "is behind a login: its authors let in those who ask", hint)
    if isinstance(error, errors.RevisionNotFoundError):
        reason = f"is gone: its repository has no revision {name.revision}"
        return AssetError(name.shown, reason, "name another revision", is_missing=True)
    if isinstance(error, errors.RepositoryNotFoundError):  # the hub does not tell these two apart
        hint = "correct its name, or set HF_TOKEN"
        return AssetError(name.shown, "is gone, or behind a login", hint, is_missing=True)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in {404, 410}:
        return AssetError(name.shown, "is gone: the hub has no such file", "name another file", is_missing=True)
    if status in {401, 403}:
        return AssetError(name.shown, f"is behind a login: the hub answers {status}", "set HF_TOKEN")
    return UnreachableError(name.shown, f"cannot be fetched: the hub answers {status}", "try again later")


def _unreachable(name: HubName, error: BaseException) -> UnreachableError:
    if "offline" in type(error).__name__.lower():
        reason = "is not in the cache, and HF_HUB_OFFLINE lets nothing be fetched"
        return UnreachableError(name.shown, reason, "unset it, or put the files into the cache")
    reason = f"cannot be fetched: {one_line(text_of(error))}"
    return UnreachableError(name.shown, reason, "look at the network, and try again")
