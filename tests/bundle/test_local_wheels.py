import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from wheel_rig import index, install, known_kit, make_wheel, sha256_of, site

from byoc_kit.bundle.dependencies import Needed
from byoc_kit.bundle.local_wheels import wheel_of
from byoc_kit.bundle.lock import LockError, make_lock, parse_lock
from byoc_kit.bundle.wheels import put_wheels

pytestmark = pytest.mark.slow

__all__ = ["index", "install", "known_kit", "site"]

BACKEND = '''\
"""A build backend that needs nothing, in 20 lines."""
import os, time, zipfile

WHEEL = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "tinyfx-1.0-py3-none-any.whl"
    when = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))[:6]
    files = {"tinyfx.py": open("tinyfx.py").read()}
    files["tinyfx-1.0.dist-info/METADATA"] = "Metadata-Version: 2.1\\nName: tinyfx\\nVersion: 1.0\\n"
    files["tinyfx-1.0.dist-info/WHEEL"] = WHEEL
    record = "tinyfx-1.0.dist-info/RECORD"
    files[record] = "".join(f"{path},,\\n" for path in [*files, record])
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, when), text)
    return name

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "tinyfx-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as archive:
        archive.writestr("_tinyfx.pth", os.getcwd())
        archive.writestr("tinyfx-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tinyfx\\nVersion: 1.0\\n")
        archive.writestr("tinyfx-1.0.dist-info/WHEEL", WHEEL)
        archive.writestr("tinyfx-1.0.dist-info/RECORD", "_tinyfx.pth,,\\ntinyfx-1.0.dist-info/RECORD,,\\n")
    return name
'''


@pytest.fixture
def source(tmp_path):
    """A package's source that pip builds without network."""
    folder = tmp_path / "my tinyfx"
    folder.mkdir()
    (folder / "tinyfx.py").write_text("GAIN = 2\n")
    (folder / "backend.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    return folder


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "bundle" / "wheels").mkdir(parents=True)
    return tmp_path / "bundle"


def pip_install(site, *arguments):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site]
    subprocess.run([*pip, *arguments], check=True)


def carried(lock):
    return [pin for pin in parse_lock(lock.text) if pin.is_carried]


@pytest.mark.parametrize("editable", [True, False], ids=["editable", "local"])
def test_a_local_install_goes_along_as_a_wheel(source, site, known_kit, bundle, editable):
    pip_install(site, *(["--editable"] if editable else []), source)
    assert (site / "tinyfx.py").exists() is not editable
    lock = make_lock(["tinyfx"], bundle)
    assert list(lock.wheels) == ["tinyfx-1.0-py3-none-any.whl"]
    put_wheels(lock.wheels, bundle)
    wheel = bundle / "wheels" / "tinyfx-1.0-py3-none-any.whl"
    (pin,) = carried(lock)
    assert (pin.name, pin.version, pin.sha256) == ("tinyfx", "1.0", sha256_of(wheel))
    assert zipfile.ZipFile(wheel).read("tinyfx.py") == b"GAIN = 2\n"
    assert str(source) not in lock.text


def test_the_same_source_gives_the_same_bytes_anywhere(source, index, tmp_path):
    copied = shutil.copytree(source, tmp_path / "elsewhere")
    os.utime(copied / "tinyfx.py", (1, 1))
    wheels = [wheel_of(needed(folder), tmp_path / "none") for folder in (source, copied)]
    assert wheels[0] == wheels[1]


def needed(folder):
    return Needed("tinyfx", "1.0", direct_url={"url": folder.as_uri(), "dir_info": {}})


def test_an_unchanged_source_is_not_built_again_and_a_changed_one_is(source, index, bundle, monkeypatch):
    first = wheel_of(needed(source), bundle / "wheels")
    put_wheels({first.name: first.data}, bundle)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        assert wheel_of(needed(source), bundle / "wheels") == first
        (source / "__pycache__").mkdir()
        (source / "__pycache__" / "tinyfx.pyc").touch()
        assert wheel_of(needed(source), bundle / "wheels") == first
    (source / "tinyfx.py").write_text("GAIN = 3.5\n")
    second = wheel_of(needed(source), bundle / "wheels")
    assert second.sha256 != first.sha256
    put_wheels({second.name: second.data}, bundle)
    assert [path.read_bytes() for path in (bundle / "wheels").iterdir()] == [second.data]


def test_a_wheel_that_was_tampered_with_is_built_again(source, index, bundle):
    first = wheel_of(needed(source), bundle / "wheels")
    (bundle / "wheels" / first.name).write_bytes(b"other")
    assert wheel_of(needed(source), bundle / "wheels") == first


def test_an_installed_wheel_file_goes_along_as_it_is(site, known_kit, bundle, tmp_path):
    wheel = make_wheel(tmp_path / "my wheels", "fake-a", files=["fake_a.py"])
    pip_install(site, wheel)
    lock = make_lock(["fake_a"], bundle)
    assert lock.wheels == {wheel.name: wheel.read_bytes()}
    assert [pin.sha256 for pin in carried(lock)] == [sha256_of(wheel)]


def test_an_install_from_a_repository_is_built_from_its_commit(source, site, known_kit, bundle):
    git = ["git", "-C", source, "-c", "user.name=a", "-c", "user.email=a@b.example"]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "one"]):
        subprocess.run([*git, *arguments], check=True)
    pip_install(site, f"git+{source.as_uri()}")
    (source / "tinyfx.py").write_text("not committed")
    lock = make_lock(["tinyfx"], bundle)
    (data,) = lock.wheels.values()
    (bundle / "tinyfx.whl").write_bytes(data)
    assert zipfile.ZipFile(bundle / "tinyfx.whl").read("tinyfx.py") == b"GAIN = 2\n"


def test_a_distribution_that_has_only_a_source_is_built(source, install, known_kit, index, bundle):
    shutil.make_archive(str(index / "tinyfx-1.0"), "gztar", source.parent, source.name)
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: tinyfx\nVersion: 1.0\n")
    install("tinyfx", "tinyfx")
    lock = make_lock(["tinyfx"], bundle)
    assert list(lock.wheels) == ["tinyfx-1.0-py3-none-any.whl"]
    assert [pin.name for pin in carried(lock)] == ["tinyfx"]
    put_wheels(lock.wheels, bundle)
    (bundle / "requirements.lock").write_text(lock.text)
    assert make_lock(["tinyfx"], bundle).text == lock.text


def test_a_source_that_is_gone_is_reported(install, bundle, tmp_path):
    url = (tmp_path / "gone").as_uri()
    install("fake-a", "fake_a", direct_url=json.dumps({"url": url, "dir_info": {"editable": True}}))
    with pytest.raises(LockError) as caught:
        make_lock(["fake_a"], bundle, with_hashes=False)
    assert str(caught.value) == (
        f"fake-a was installed from {tmp_path / 'gone'}, which is gone; install it again from where it is now"
    )


def test_what_conda_installed_is_taken_from_the_index(install, bundle, tmp_path):
    url = json.dumps({"url": (tmp_path / "gone").as_uri(), "dir_info": {}})
    install("fake-a", "fake_a", direct_url=url, INSTALLER="conda\n")
    lock = make_lock(["fake_a"], bundle, with_hashes=False)
    assert not lock.wheels
    assert "fake-a==1.0\n" in lock.text


def test_a_source_that_cannot_be_built_is_reported(source, index, tmp_path):
    (source / "backend.py").write_text("def build_wheel(*args): raise SystemExit('no compiler')\n")
    with pytest.raises(LockError) as caught:
        wheel_of(needed(source), tmp_path)
    assert str(caught.value).startswith("no wheel of tinyfx can be built here (")
    assert str(caught.value).endswith(f"; see what `pip wheel --no-deps {str(source)!r}` says")
    assert len(str(caught.value).splitlines()) == 1


def test_a_broken_link_in_a_source_is_no_error(source, index, tmp_path):
    (source / "link").symlink_to("nowhere")
    assert wheel_of(needed(source), tmp_path).name == "tinyfx-1.0-py3-none-any.whl"


def test_setuptools_packs_nothing_that_was_deleted(tmp_path, index, monkeypatch):
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip reads it as: no isolation; setuptools is installed here
    pytest.importorskip("setuptools")
    folder = tmp_path / "tinyfx"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "tinyfx"\nversion = "1.0"\n[tool.setuptools]\npackages = ["tinyfx"]\n'
    )
    (folder / "tinyfx").mkdir()
    for name in ("__init__", "old"):
        (folder / "tinyfx" / f"{name}.py").touch()
    wheel_of(needed(folder), tmp_path)
    (folder / "tinyfx" / "old.py").unlink()
    (tmp_path / "it.whl").write_bytes(wheel_of(needed(folder), tmp_path).data)
    assert "tinyfx/old.py" not in zipfile.ZipFile(tmp_path / "it.whl").namelist()
    assert not (folder / "build").exists()
    assert Path(folder / "tinyfx").is_dir()
