import json
import subprocess
import sys
from importlib.metadata import distribution, version

import pytest
from wheel_rig import index, install, known_kit, make_wheel, sha256_of, site

from byoc_kit.bundle.lock import LockError, make_lock, missing_modules, parse_lock
from byoc_kit.bundle.pip import cache_path, remember
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
    assert ", CPython 3.11; " in plain().text.splitlines()[1]


def test_only_pytrickle_is_without_what_it_declares(install):
    install("fake-async", "fake_async", "uvloop")
    lock = plain("fake_async")
    assert pins(lock)["uvloop"] == version("uvloop")
    assert "#   uvloop:" not in lock.text


def test_names_are_canonical_and_versions_those_that_are_installed(install):
    install("Fake_Blur", "fake_blur", version="1.2+cpu")
    assert pins(plain("fake_blur"))["fake-blur"] == "1.2+cpu"


def test_requirements_are_followed_through_extras_and_markers(install):
    install("fake-a", "fake_a", "fake-b[fast]", "fake-no; sys_platform == 'plan9'", "fake-no; extra == 'docs'")
    install("fake-b", "fake_b", "fake-c; extra == 'fast'")
    install("fake-c", "fake_c", "fake-a", "nvidia-fake-cu12")
    install("nvidia-fake-cu12", "", files=["nvidia/fake/__init__.py"])
    locked = plain("fake_a")
    assert {name for name in pins(locked) if "fake" in name} == {"fake-a", "fake-b", "fake-c", "nvidia-fake-cu12"}
    (fake_c,) = (one for one in locked.locked if one.name == "fake-c")
    assert fake_c.needed.needs == ("fake-a", "nvidia-fake-cu12")


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


def test_a_distribution_that_lacks_what_it_needs_is_named(install):
    install("fake-a", "fake_a", "fake-gone>=2")
    with pytest.raises(LockError, match="fake-gone is needed but not installed"):
        plain("fake_a")


# Hashes


def test_each_has_the_hash_of_the_file_that_pip_would_install(install, index, known_kit, tmp_path):
    wheel = make_wheel(index, "fake-a")
    make_wheel(index, "fake-a", version="1.0+cpu")  # which `==1.0` would take
    install("fake-a", "fake_a")
    lock = make_lock(["fake_a"], tmp_path)
    assert f"fake-a==1.0 \\\n    --hash=sha256:{sha256_of(wheel)}\n" in lock.text
    assert lock.has_hashes
    assert all(pin.sha256 for pin in parse_lock(lock.text))


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


@pytest.mark.parametrize("keep", ["lock", "cache"])
def test_pip_is_asked_once(install, index, known_kit, tmp_path, monkeypatch, keep):
    make_wheel(index, "fake-a")
    install("fake-a", "fake_a")
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    first = make_lock(["fake_a"], bundle)
    if keep == "lock":
        (bundle / "requirements.lock").write_text(first.text)
        cache_path().unlink()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert make_lock(["fake_a"], bundle).text == first.text


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"schema": 1, "files": 3}', '{"schema": 9}', "\x00"])
def test_a_damaged_cache_is_made_again(install, index, known_kit, tmp_path, text):
    make_wheel(index, "fake-a")
    install("fake-a", "fake_a")
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "requirements.lock").write_text(make_lock([], bundle).text)
    cache_path().write_text(text)
    assert "fake-a==1.0 \\\n" in make_lock(["fake_a"], bundle).text
    assert json.loads(cache_path().read_text())["files"]
    assert [path.name for path in cache_path().parent.iterdir()] == ["hashes.json"]


def test_a_cache_that_cannot_be_written_is_no_error(install, index, known_kit, tmp_path, monkeypatch):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "requirements.lock").write_text(make_lock([], bundle).text)
    make_wheel(index, "fake-a")
    install("fake-a", "fake_a")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "fake-a==1.0 \\\n" in make_lock(["fake_a"], bundle).text


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


def test_what_pip_does_not_find_is_named(install, index, known_kit, tmp_path):
    install("fake-a", "fake_a")
    with pytest.raises(LockError) as caught:
        make_lock(["fake_a"], tmp_path)
    assert str(caught.value) == (
        "pip finds no fake-a==1.0 here; let PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS name where it is, "
        "or lock without hashes, with `byoc-kit export --no-hashes`"
    )


def test_an_index_that_cannot_be_reached_is_reported(install, index, known_kit, tmp_path, monkeypatch, free_port):
    install("fake-a", "fake_a")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free_port}/")
    with pytest.raises(LockError) as caught:
        make_lock(["fake_a"], tmp_path)
    assert str(caught.value) == (
        "pip cannot reach its index, which knows the hashes; connect to it, "
        "or lock without hashes, with `byoc-kit export --no-hashes`"
    )


def test_without_hashes_the_header_says_so():
    lock = plain()
    assert not lock.has_hashes
    assert "--hash" not in lock.text
    assert "# Without hashes, by --no-hashes: " in lock.text


# Devices


@pytest.fixture
def variant(index, known_kit):
    """PyTorch's build for a device, as an index has it."""
    release = version("torch").partition("+")[0]
    requires = [line for line in distribution("torch").requires if "extra" not in line]
    libraries = "nvidia-fake-cu12==12.6; platform_system == 'Linux'", "fake-toolkit[blas]==12"
    make_wheel(index, "torch", *requires, *libraries, version=f"{release}+cu126")
    make_wheel(index, "nvidia-fake-cu12", version="12.6")
    make_wheel(index, "fake-toolkit", "fake-blas; extra == 'blas'", version="12", extra="blas")
    make_wheel(index, "fake-blas")
    for one in make_lock([], index).locked:
        make_wheel(index, one.name, version=one.version) if one.name != "torch" else None
    return f"{release}+cu126"


def test_another_build_of_torch_brings_its_libraries(variant, index, tmp_path, monkeypatch):
    lock = make_lock([], tmp_path, device="cu126")
    (torch,) = (one for one in lock.locked if one.name == "torch")
    assert torch.version == variant
    assert torch.sha256 == sha256_of(index / f"torch-{variant}-py3-none-any.whl")
    assert {"fake-toolkit", "nvidia-fake-cu12", "sympy"} <= set(torch.needed.needs)
    assert pins(lock).items() >= {"nvidia-fake-cu12": "12.6", "fake-toolkit": "12", "fake-blas": "1.0"}.items()
    assert pins(lock)["sympy"] == version("sympy")
    assert lock.has_hashes
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert make_lock([], tmp_path, device="cu126").text == lock.text


@pytest.mark.parametrize("constraint", ["", "torch<999"])
def test_a_build_that_pip_does_not_find_is_named(known_kit, tmp_path, monkeypatch, constraint):
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(constraint)
    monkeypatch.setenv("PIP_CONSTRAINT", str(constraints))
    with pytest.raises(LockError) as caught:
        make_lock([], tmp_path, device="cu128")
    assert str(caught.value) == (
        f"pip finds no torch=={version('torch').partition('+')[0]}+cu128 here; "
        "PIP_EXTRA_INDEX_URL must name the index of PyTorch's builds for cu128"
    )


# OpenCV


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


def test_remembering_nothing_writes_nothing(index):
    remember("files", {})
    assert not cache_path().exists()
