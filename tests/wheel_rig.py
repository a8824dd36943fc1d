"""Wheels and sources of distributions that no index has."""

import hashlib
import zipfile

import pytest

from byoc_kit.bundle.dependencies import closure
from byoc_kit.bundle.lock import KIT
from byoc_kit.bundle.pip import remember


def make_wheel(folder, name, *requires, version="1.0", files=(), extra=None):
    """Write a wheel that pip installs; returns its path."""
    folder.mkdir(exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    metadata += f"Provides-Extra: {extra}\n" if extra else ""
    content = dict.fromkeys(files, "") | {
        f"{stem}.dist-info/METADATA": metadata,
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{stem}.dist-info/RECORD"
    content[record] = "".join(f"{path},,\n" for path in [*content, record])
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in content.items():
            archive.writestr(zipfile.ZipInfo(inner), text)
    return path


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the path, to install into."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def install(site):
    """Put a distribution on the path: its modules, what it requires, and other files of its dist-info."""

    def install(name, module, *requires, version="1.0", files=None, **info):
        folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {line}" for line in requires]
        (folder / "METADATA").write_text("\n".join(lines) + "\n")
        for inner, text in info.items():
            (folder / {"direct_url": "direct_url.json"}.get(inner, inner)).write_text(text)
        paths = files if files is not None else [f"{module}.py"]
        (folder / "RECORD").write_text("".join(f"{path},,\n" for path in paths))
        for path in paths:
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).touch()

    return install


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder of wheels that is all that pip has, and an empty cache of what it said."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def known_kit(index):
    """The cache as after an export: what the kit itself needs is known already."""
    needed = closure({KIT}).values()
    remember("files", {one.pin: [f"{one.name}.whl", hashlib.sha256(one.pin.encode()).hexdigest()] for one in needed})
