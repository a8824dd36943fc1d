import subprocess
import sys
import zipfile
from importlib.metadata import version
from io import BytesIO

from byoc_kit.bundle.wheels import kit_wheel


def test_the_same_sources_give_the_same_bytes():
    name, data = kit_wheel()
    assert (name, data) == kit_wheel()
    assert name == f"byoc_kit-{version('byoc-kit')}-py3-none-any.whl"


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
