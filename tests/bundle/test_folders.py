import os
from pathlib import Path

import pytest

from byoc_kit.bundle.folders import bundle_folder, report_folder, target_of
from byoc_kit.errors import ByocKitError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a notebook in `work`; the working folder is the project's."""
    (tmp_path / "work" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put_bundle(folder):
    folder.mkdir(parents=True)
    (folder / "bundle.json").write_text("{}")


def test_the_first_bundle_goes_to_the_folder_that_you_are_in(project, monkeypatch):
    assert bundle_folder(Path("work/sepia.ipynb")) == Path("export/sepia")
    monkeypatch.chdir(project / "work")  # as a notebook's kernel is
    assert bundle_folder(Path("sepia.ipynb")) == Path("export/sepia")
    assert bundle_folder(project / "work" / "sepia.ipynb") == Path("export/sepia")


def test_a_folder_of_bundles_that_is_not_for_us_is_passed_over(project, monkeypatch):
    stat = os.stat

    def refusing(path, *arguments, **options):
        if str(path).startswith(str(project / "export")):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *arguments, **options)

    put_bundle(project / "export" / "sepia")
    monkeypatch.chdir(project / "work")
    monkeypatch.setattr(os, "stat", refusing)
    bundle_folder(Path("sepia.ipynb"))


def test_from_elsewhere_it_goes_next_to_the_notebook(project, monkeypatch):
    monkeypatch.chdir(project / "work" / "deep")
    assert bundle_folder(Path("../sepia.ipynb")).resolve() == project / "work" / "export" / "sepia"
    assert bundle_folder(project / "sepia.ipynb").resolve() == project / "export" / "sepia"


@pytest.mark.parametrize("there", ["export/sepia", "export/other", "work/export/sepia"])
@pytest.mark.parametrize("here", [".", "work", "work/deep", "/"])
def test_wherever_you_are_a_notebook_has_one_bundle(project, monkeypatch, there, here):
    put_bundle(project / there)
    monkeypatch.chdir(project / here)
    expected = (project / there).with_name("sepia")
    assert bundle_folder(project / "work" / "sepia.ipynb").resolve() == expected


def test_its_own_bundle_further_up_comes_before_others_nearer(project):
    put_bundle(project / "export" / "sepia")
    put_bundle(project / "work" / "export" / "other")
    assert bundle_folder(Path("work/sepia.ipynb")) == Path("export/sepia")


def test_a_folder_that_is_only_called_export_is_no_place_for_bundles(project):
    (project / "work" / "export" / "photos").mkdir(parents=True)
    assert bundle_folder(Path("work/sepia.ipynb")) == Path("export/sepia")


@pytest.mark.parametrize(
    ("here", "bundle", "report"),
    [
        (".", "export/sepia", "reports/sepia"),
        ("work", "../export/sepia", "../reports/sepia"),
        ("export/sepia", ".", "../../reports/sepia"),
        (".", "elsewhere/sepia", "reports/sepia"),
    ],
)
def test_a_report_lies_next_to_the_export_folder(project, monkeypatch, here, bundle, report):
    put_bundle(project / "export" / "sepia")
    monkeypatch.chdir(project / here)
    assert report_folder(Path(bundle)).resolve() == Path(report).resolve()


def test_a_target_is_the_one_that_was_asked_for_or_the_notebooks_own(project):
    assert target_of(Path("work/sepia.ipynb"), Path("out")) == Path("out")
    assert target_of(Path("work/sepia.ipynb"), None) == bundle_folder(Path("work/sepia.ipynb"))


@pytest.mark.parametrize("name", [".", "..", ""])
def test_a_name_that_cannot_name_a_folder_needs_another(project, name):
    assert target_of(Path(name), Path("out")) == Path("out")
    with pytest.raises(ByocKitError, match=r" gives a bundle no name; choose its folder with --output$"):
        target_of(Path(name), None)
