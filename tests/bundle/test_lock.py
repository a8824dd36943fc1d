import sys
from importlib.metadata import version

import pytest

from byoc_kit.bundle.lock import LockError, missing_modules, render_lock


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution on the path: one module of a name, and what it requires."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def install(name, module, *requires, version="1.0"):
        info = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {line}" for line in requires]
        (info / "METADATA").write_text("\n".join(lines) + "\n")
        (info / "top_level.txt").write_text(f"{module}\n")

    return install


def pins(lock):
    return dict(line.split("==") for line in lock.splitlines() if not line.startswith("#"))


def test_the_kit_and_what_it_needs_are_always_locked():
    locked = pins(render_lock([]))
    assert {"byoc-kit", "pytrickle", "torch", "av", "pydantic-core"} <= set(locked)
    assert locked["aiohttp"] == version("aiohttp")
    assert list(locked) == sorted(locked)


def test_what_is_left_out_is_said_with_its_reason_a_line_each():
    comments = [line for line in render_lock([]).splitlines() if line.startswith("#")]
    assert max(map(len, comments)) <= 110
    assert "#   opencv-python: for an overlay that byoc-kit does not use; it wants libGL" in comments
    assert not {"opencv-python", "pytest", "uvloop"} & set(pins(render_lock([])))


def test_what_the_notebook_imports_itself_is_never_left_out(install):
    install("opencv-python", "fake_cv2", version="4.9")
    lock = render_lock(["fake_cv2"])
    assert pins(lock)["opencv-python"] == "4.9"
    assert "#   opencv-python:" not in lock


def test_versions_are_public_and_names_canonical(install):
    install("Fake_Blur", "fake_blur", version="1.2+cpu")
    assert pins(render_lock(["fake_blur"]))["fake-blur"] == "1.2"


def test_requirements_are_followed_through_extras_and_markers(install):
    install("fake-a", "fake_a", "fake-b[fast]", "fake-no; sys_platform == 'plan9'", "fake-no; extra == 'docs'")
    install("fake-b", "fake_b", "fake-c; extra == 'fast'")
    install("fake-c", "fake_c", "fake-a", "nvidia-fake-cu12")
    locked = pins(render_lock(["fake_a"]))
    assert {name for name in locked if "fake" in name} == {"fake-a", "fake-b", "fake-c"}


def test_a_module_of_the_standard_library_needs_nothing():
    assert render_lock(["json", "__future__", "byoc_kit"]) == render_lock([])


def test_a_module_that_nothing_provides_is_named():
    assert missing_modules(["json", "torch", "byoc_kit", "no_such_module"]) == {"no_such_module"}
    with pytest.raises(LockError) as caught:
        render_lock(["no_such_module"])
    assert str(caught.value) == (
        "no installed distribution provides the module no_such_module; install it in this environment with pip"
    )


def test_a_distribution_that_lacks_what_it_needs_is_named(install):
    install("fake-a", "fake_a", "fake-gone>=2")
    with pytest.raises(LockError, match="fake-gone is needed but not installed"):
        render_lock(["fake_a"])
