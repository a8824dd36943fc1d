import sys
from importlib.metadata import distribution, version

import pytest
from wheel_rig import index, install, known_kit, make_wheel, sha256_of, site

from byoc_kit.bundle.lock import LockError, make_lock, parse_lock
from byoc_kit.bundle.pip import cache_path

pytestmark = pytest.mark.slow

__all__ = ["index", "install", "known_kit", "site"]


def pins(lock):
    return {pin.name: pin.version for pin in parse_lock(lock.text)}


def test_each_has_the_hash_of_the_file_that_pip_would_install(install, index, known_kit, tmp_path):
    wheel = make_wheel(index, "fake-a")
    make_wheel(index, "fake-a", version="1.0+cpu")  # which `==1.0` would take
    install("fake-a", "fake_a")
    lock = make_lock(["fake_a"], tmp_path)
    assert f"fake-a==1.0 \\\n    --hash=sha256:{sha256_of(wheel)}\n" in lock.text
    assert lock.has_hashes
    assert all(pin.sha256 for pin in parse_lock(lock.text))


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
