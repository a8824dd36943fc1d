import subprocess
import sys
from importlib.metadata import distribution, version

import pytest
from wheel_rig import index, install, known_kit, make_wheel, sha256_of, site

from byoc_kit import PYTHON
from byoc_kit.bundle.lock import LockError, make_lock, missing_modules, parse_lock
from byoc_kit.bundle.wheels import read_lock

pytestmark = pytest.mark.slow


__all__ = ["index", "install", "known_kit", "site"]


def plain(*names, **options):
    """Lock without hashes."""
    return make_lock(names, NOWHERE, with_hashes=False, **options)


NOWHERE = distribution("pip").locate_file("no such folder")


def pins(lock):
    return {pin.name: pin.version for pin in parse_lock(lock.text)}


def test_the_kit_is_not_locked_and_what_it_needs_always_is():
    locked = pins(plain())
    assert {"pytrickle", "torch", "av", "pydantic-core"} <= set(locked)
    assert "byoc-kit" not in locked
    assert locked["aiohttp"] == version("aiohttp")
    assert locked["torch"] == version("torch")
    assert list(locked) == sorted(locked)


def test_what_is_left_out_is_reported_with_its_reason_a_line_each():
    lock = plain()
    comments = [line for line in lock.text.splitlines() if line.startswith("#")]
    assert max(map(len, comments)) <= 110
    assert "#   opencv-python: for an overlay that byoc-kit does not use; it wants libGL" in comments
    assert not {"opencv-python", "pytest", "uvloop"} & set(pins(lock))


def test_the_header_says_for_which_platform_it_is():
    assert plain().text.splitlines()[1].startswith("# For linux ")
    assert f", CPython {PYTHON}; " in plain().text.splitlines()[1]


def test_of_a_namespace_package_only_the_part_that_is_imported_is_locked(install):
    install("fake-storage", "", files=["fakegoogle/storage/__init__.py"])
    install("fake-vision", "", files=["fakegoogle/vision/__init__.py"])
    lock = plain("fakegoogle.vision")
    assert lock.imported == ("fake-vision",)
    assert "fake-storage" not in pins(lock)


def test_a_module_of_the_standard_library_needs_nothing():
    assert plain("json", "xml.etree", "__future__", "byoc_kit.core.params").text == plain().text


def test_a_module_that_nothing_provides_is_named():
    assert missing_modules(["json", "torch", "byoc_kit", "no_such_module.a"]) == {"no_such_module.a"}
    with pytest.raises(LockError) as caught:
        plain("no_such_module.a")
    assert str(caught.value) == (
        "no installed distribution provides the module no_such_module.a; install it in this environment with pip"
    )


def test_pip_installs_what_is_locked_and_nothing_else(install, index, known_kit, tmp_path):
    wheel = make_wheel(index, "fake-a", files=["fake_a.py"])
    install("fake-a", "fake_a")
    text = make_lock(["fake_a"], tmp_path).text
    (tmp_path / "lock").write_text(text[text.index("fake-a==") :].partition("\nfilelock")[0] + "\n")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--target"]
    command = [*pip, tmp_path / "here", "--requirement", tmp_path / "lock"]
    subprocess.run(command, check=True)
    assert (tmp_path / "here" / "fake_a.py").is_file()
    make_wheel(index, "fake-a", files=["fake_a.py", "evil.py"])
    assert sha256_of(wheel) not in (tmp_path / "lock").read_text()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.mark.parametrize("text", ["torch", "torch>=2\n", "torch==2 --hash=md5:1\n", "\xff", "]"])
def test_a_damaged_lock_of_an_earlier_export_says_nothing(known_kit, tmp_path, text):
    (tmp_path / "requirements.lock").write_text(text)
    assert make_lock([], tmp_path).has_hashes
    with pytest.raises(ValueError, match=r"."):
        read_lock(tmp_path)


def test_hashes_of_another_platform_are_not_taken(known_kit, tmp_path):
    text = make_lock([], tmp_path).text
    other = text.replace("# For linux", "# For plan9").replace("sha256:", "sha256:" + "0" * 8)
    other = "\n".join(line[:84] if "--hash" in line else line for line in other.splitlines())
    (tmp_path / "requirements.lock").write_text(other)
    assert make_lock([], tmp_path).text == text


def test_without_hashes_the_header_says_so():
    lock = plain()
    assert not lock.has_hashes
    assert "--hash" not in lock.text
    assert "# Without hashes, by --no-hashes: " in lock.text


@pytest.fixture
def opencv(install):
    """An OpenCV with windows, of a version that nobody has."""
    install("opencv-python", "", version="0.9", files=["cv2/__init__.py"])


def test_a_notebook_that_imports_cv2_gets_it_without_windows(opencv, index, known_kit, tmp_path):
    wheel = make_wheel(index, "opencv-python-headless", version="0.9")
    lock = make_lock(["cv2"], tmp_path)
    assert f"opencv-python-headless==0.9 \\\n    --hash=sha256:{sha256_of(wheel)}\n" in lock.text
    assert "opencv-python" not in pins(lock)
    assert lock.imported == ("opencv-python-headless",)
    assert "# opencv-python-headless stands for opencv-python: the same modules without windows" in lock.text


def test_where_there_is_no_such_build_it_is_locked_as_it_is(opencv, index, known_kit, tmp_path):
    make_wheel(index, "opencv-python", version="0.9")
    lock = make_lock(["cv2"], tmp_path)
    assert pins(lock)["opencv-python"] == "0.9"
    assert "# opencv-python as installed, since pip knows no headless build of it: " in lock.text
    assert "#   opencv-python:" not in lock.text


def test_an_installed_headless_build_is_locked_without_pip(opencv, install):
    install("opencv-python-headless", "", version="0.9", files=["cv2/__init__.py"])
    assert pins(plain("cv2"))["opencv-python-headless"] == "0.9"
    assert "opencv-python" not in pins(plain("cv2"))
