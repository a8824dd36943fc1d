"""The names of assets that lie elsewhere: ``https://host/path/file`` and ``hf://org/repo@revision/file``."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from byoc_kit.errors import AssetError
from byoc_kit.system.addresses import without_secrets

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_HUB = re.compile(rf"hf://({_PART}/{_PART})(?:@([A-Za-z0-9][A-Za-z0-9._-]*))?(?:/(.+))?")
_HUB_FORM = "write hf://org/repo@revision/file for a file, or hf://org/repo@revision for a folder"
_MAIN = "main"


@dataclass(frozen=True)
class WebName:
    """A file at a URL. ``text`` is the URL as the notebook has it."""

    text: str

    @property
    def shown(self) -> str:
        """The URL without its query, which may have a key in it."""
        return without_secrets(self.text)

    @property
    def folder(self) -> str:
        """The folder in a store that has the file."""
        return f"web/{key_of(self.text)}"

    @property
    def file(self) -> str:
        """The last part of the URL's path: some libraries need a file's ending."""
        return _last_part(self.text)


@dataclass(frozen=True)
class HubName:
    """A file of a repository on the hub, or all of its files, where ``file`` is ``None``."""

    text: str
    repo: str
    revision: str
    file: str | None

    @property
    def shown(self) -> str:
        """The name for a message."""
        return self.text

    def folder(self, commit: str) -> str:
        """Return the folder in a store that has the files of a commit, as ``huggingface_hub`` names it."""
        return f"models--{self.repo.replace('/', '--')}/snapshots/{commit}"


RemoteName = WebName | HubName


def is_remote(name: str) -> bool:
    """Whether an asset's name has a scheme, as a URL does; it may still be a wrong one."""
    return isinstance(name, str) and _SCHEME.match(name) is not None


def parse_remote(name: str) -> RemoteName:
    """Read the name of a remote asset. Raises ``AssetError`` for a form that is not known."""
    scheme = name.partition("://")[0].lower()
    if not (name.isascii() and name.isprintable()) or " " in name:
        raise AssetError(name, "has a character that a URL cannot have", "write it percent-encoded, as %20")
    if scheme == "hf":
        return _parse_hub(name)
    if scheme not in {"http", "https"}:
        raise AssetError(name, f"begins with {scheme}://, which is not known", "use https:// or hf://")
    return _parse_web(name)


def _parse_web(name: str) -> WebName:
    try:
        parts = urlsplit(name)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise AssetError(without_secrets(name), "is not a URL", "write https://host/path/file")
    if "@" in parts.netloc:
        reason, hint = "has a password in it, which the bundle would tell", "put the login into ~/.netrc"
        raise AssetError(without_secrets(name), reason, hint)
    if not is_safe(_last_part(name)):
        raise AssetError(without_secrets(name), "does not end in the name of a file", "name a file, not a folder")
    return WebName(name)


def _parse_hub(name: str) -> HubName:
    found = _HUB.fullmatch(name)
    if found is None:
        raise AssetError(name, "is not the name of something on the hub", _HUB_FORM)
    repo, revision, file = found.groups()
    if file is not None and not is_safe(file):
        raise AssetError(name, "leads out of its repository", _HUB_FORM)
    return HubName(name, repo, revision or _MAIN, file)


def _last_part(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


def key_of(text: str) -> str:
    """Return a name for a file or folder that stands for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def is_safe(path: str) -> bool:
    """Whether a relative path stays within its folder; one from elsewhere may have ``..`` in it."""
    parts = path.split("/")
    is_plain = path.isprintable() and "\\" not in path and not PurePosixPath(path).is_absolute()
    return is_plain and all(part not in {"", ".", ".."} for part in parts)
