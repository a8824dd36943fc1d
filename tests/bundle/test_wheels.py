import subprocess
import sys
import zipfile
from importlib import metadata
from io import BytesIO

import pytest
from wheel_rig import index, make_wheel, sha256_of

from byoc_kit.bundle.wheels import WheelError, collect_wheelhouse, kit_wheel, missing_wheels, put_wheels, read_lock

__all__ = ["index"]


@pytest.fixture
def bundle(tmp_path, index):
    """A bundle whose lock has two distributions of the index, one of them with a local version."""
    folder = tmp_path / "bundle"
    (folder / "wheels").mkdir(parents=True)
    wheels = {"fake-a==1.0": make_wheel(index, "fake-a"), "fake-b==2+cpu": make_wheel(index, "fake-b", version="2+cpu")}
    lines = [f"{pin} \\\n    --hash=sha256:{sha256_of(path)}\n" for pin, path in wheels.items()]
    (folder / "requirements.lock").write_text("# A comment.\n" + "".join(lines))
    return folder


def names(bundle):
    return sorted(path.name for path in (bundle / "wheels").iterdir())


def test_the_wheelhouse_has_every_locked_wheel(bundle):
    assert missing_wheels(bundle) == {"fake-a": "1.0", "fake-b": "2+cpu"}
    collect_wheelhouse(bundle)
    assert names(bundle) == ["fake_a-1.0-py3-none-any.whl", "fake_b-2+cpu-py3-none-any.whl"]
    assert not missing_wheels(bundle)


def test_a_lock_without_hashes_has_a_wheelhouse_too(bundle):
    (bundle / "requirements.lock").write_text("fake-a==1.0\n")
    collect_wheelhouse(bundle)
    assert not missing_wheels(bundle)


def test_a_wheel_of_other_bytes_is_replaced(bundle):
    collect_wheelhouse(bundle)
    wheel = bundle / "wheels" / "fake_a-1.0-py3-none-any.whl"
    wheel.write_bytes(b"other")
    assert missing_wheels(bundle) == {"fake-a": "1.0"}
    collect_wheelhouse(bundle)
    assert not missing_wheels(bundle)


def test_a_wheel_whose_hash_the_index_does_not_have_is_an_error(bundle, index, capsys):
    make_wheel(index, "fake-a", files=["evil.py"])
    with pytest.raises(WheelError, match="pip download ended with exit code 1"):
        collect_wheelhouse(bundle)
    assert "DO NOT MATCH THE HASHES" in capsys.readouterr().err
    assert "fake_a-1.0-py3-none-any.whl" not in names(bundle)


def test_a_wheel_that_was_built_and_is_gone_is_reported(bundle):
    carried = "# Its wheel lies in wheels/: no index has what was installed.\ntinyfx==1.0\n"
    with (bundle / "requirements.lock").open("a") as lock:
        lock.write(carried)
    with pytest.raises(WheelError) as caught:
        collect_wheelhouse(bundle)
    assert str(caught.value) == (
        f"tinyfx: the wheel that was built is not in {bundle / 'wheels'}; export the notebook again"
    )


def test_other_wheels_of_the_same_distribution_go(bundle, tmp_path):
    for version in ("1.0", "1.1"):
        make_wheel(bundle / "wheels", "tiny-fx", version=version)
    (bundle / "wheels" / "notes.whl").touch()
    new = make_wheel(tmp_path / "new", "tiny-fx", version="1.2")
    put_wheels({new.name: new.read_bytes()}, bundle)
    assert names(bundle) == ["notes.whl", new.name]


def test_the_lock_says_public_versions(bundle):
    assert read_lock(bundle) == {"fake-a": "1.0", "fake-b": "2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file or directory"),
        ("]\n", "Expected package name"),
        ("torch>=2\n", "`torch>=2` pins no version, or has no hash"),
    ],
)
def test_a_lock_that_cannot_be_read_is_one_line(bundle, text, said):
    lock = bundle / "requirements.lock"
    lock.unlink()
    if text:
        lock.write_text(text)
    with pytest.raises(WheelError) as caught:
        missing_wheels(bundle)
    assert str(caught.value).startswith(f"{lock} cannot be read (")
    assert said in str(caught.value)
    assert str(caught.value).endswith("; export the notebook again")
    assert len(str(caught.value).splitlines()) == 1


def test_the_same_sources_give_the_same_bytes():
    name, data = kit_wheel()
    assert (name, data) == kit_wheel()
    assert name == f"byoc_kit-{metadata.version('byoc-kit')}-py3-none-any.whl"


def test_it_carries_the_package_and_no_caches():
    with zipfile.ZipFile(BytesIO(kit_wheel()[1])) as archive:
        names = archive.namelist()
    assert {"byoc_kit/py.typed", "byoc_kit/verification/report.html", "byoc_kit/server/probe.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_pip_installs_it(tmp_path):
    name, data = kit_wheel()
    (tmp_path / name).write_bytes(data)
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "--target", site, tmp_path / name], check=True)
    code = f"import sys; sys.path.insert(0, {str(site)!r}); import byoc_kit.server.probe; print(byoc_kit.__file__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(site / "byoc_kit" / "__init__.py")
    assert (site / "bin" / "byoc-kit").is_file()
