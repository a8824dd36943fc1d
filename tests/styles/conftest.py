"""Notebooks as other people write them, and their bundles."""

import json
import shutil
import site
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from notebook_rig import plan_file

from byoc_kit.bundle.plan import write
from byoc_kit.errors import ByocKitError

HERE = Path(__file__).parent
NOTEBOOKS = sorted(HERE.glob("*.ipynb"))


@pytest.fixture(scope="session")
def own_packages(tmp_path_factory):
    """A folder that `lab-filters` is installed in, and `studio-grade` as a link to its source; no index is asked."""
    folder = tmp_path_factory.mktemp("own")
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation"]
    for package, how in (("localpkg", []), ("editablepkg", ["--editable"])):
        shutil.copytree(HERE / package, folder / package)
        command = [sys.executable, "-m", "pip", "install", *options, "--target", folder / "site", *how]
        subprocess.run([*command, folder / package], check=True)
    # Links are followed in site-packages; on PYTHONPATH only where they are asked for.
    (folder / "site/sitecustomize.py").write_text("import os, site\nsite.addsitedir(os.path.dirname(__file__))\n")
    return folder / "site"


@pytest.fixture
def _own_packages_installed(monkeypatch, own_packages):
    _install(monkeypatch, own_packages)


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory, own_packages):
    """Return a function that gives the bundle of a notebook by its name, or says why there is none."""
    folder = tmp_path_factory.mktemp("bundles")

    @cache
    def export(name):
        with pytest.MonkeyPatch.context() as monkeypatch:
            _install(monkeypatch, own_packages)
            try:
                write(plan_file(HERE / f"{name}.ipynb", folder / name))
            except ByocKitError as error:
                return str(error)
        return folder / name

    return export


@pytest.fixture(scope="session")
def shapes(bundle_of, own_packages):
    """The shape of the picture that each bundle's module made of one, or what it raised."""
    command = [sys.executable, "-W", "error", HERE / "one_frame.py"]
    bundles = [bundle_of(notebook.stem) for notebook in NOTEBOOKS]
    command += [bundle for bundle in bundles if isinstance(bundle, Path)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        _install(monkeypatch, own_packages)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    said = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    return {Path(folder).name: shape for folder, shape in said}


def _install(monkeypatch, folder):
    """Let this process find what is installed in a folder, and those that it starts."""
    monkeypatch.syspath_prepend(folder)
    site.addsitedir(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
