import pytest

import byoc_kit
from byoc_kit.verification.module_run import LinkedSiteError, link_site


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site-packages folder of its own, to install distributions of a few files in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def install(name, version, *files, requires=()):
        info = f"{name}-{version}.dist-info"
        needed = "".join(f"Requires-Dist: {line}\n" for line in requires)
        texts = dict.fromkeys(files, "")
        texts[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}"
        texts[f"{info}/RECORD"] = "".join(f"{file},sha256=abc,1\n" for file in [*texts, "../../bin/tool", "x.pth"])
        for file, text in texts.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)

    return install


@pytest.fixture
def linked(tmp_path):
    """Link what is locked; returns the files, and which top-level folders are links to whole folders."""

    def link(**locked):
        folder = tmp_path / "linked"
        link_site({name.replace("_", "-"): version for name, version in locked.items()}, folder)
        files = {
            str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "info" not in str(path)
        }
        whole = {path.name for path in folder.iterdir() if path.is_symlink() and path.is_dir()}
        return files, {name for name in whole if "info" not in name}

    return link


def test_a_folder_of_one_distribution_is_linked_whole_and_a_shared_one_file_by_file(site, linked):
    site("alone-here", "1.0", "alone_here/__init__.py", "alone_here/data/a.bin", "single_file.py")
    site("wanted-part", "1.0", "shared_space/wanted/__init__.py")
    site("other-part", "1.0", "shared_space/other/__init__.py", "other_here/__init__.py")
    files, whole = linked(alone_here="1.0", wanted_part="1.0")
    assert whole == {"alone_here", "byoc_kit"}
    assert files == {"single_file.py", "shared_space/wanted/__init__.py"}


def test_distribution_metadata_is_there_for_who_asks(site, linked, tmp_path):
    site("alone-here", "1.0", "alone_here/__init__.py")
    linked(alone_here="1.0")
    assert (tmp_path / "linked/alone-here-1.0.dist-info/METADATA").is_file()


def test_the_kit_is_always_there(linked, tmp_path):
    assert linked() == (set(), {"byoc_kit"})
    assert (tmp_path / "linked/byoc_kit").resolve().samefile(byoc_kit.__path__[0])


def test_a_library_that_is_locked_without_a_display_is_linked_as_it_is_installed(site, linked):
    site("opencv-contrib-python", "99.0", "cv2_here/__init__.py")
    assert linked(opencv_contrib_python_headless="99.0")[1] == {"cv2_here", "byoc_kit"}


def test_another_version_than_is_locked_is_one_sentence(site, linked):
    site("alone-here", "2.4.7+cpu", "alone_here/__init__.py")
    with pytest.raises(LinkedSiteError) as caught:
        linked(alone_here="2.4.6")
    assert str(caught.value) == "alone-here 2.4.6 is locked, 2.4.7+cpu is installed; export the notebook again"
    linked(alone_here="2.4.7")


def test_what_is_not_installed_is_reported(linked):
    with pytest.raises(LinkedSiteError) as caught:
        linked(no_such_thing="1.0", nor_such="2.0")
    assert str(caught.value) == "no-such-thing 1.0 is locked and not installed (and 1 more); export the notebook again"


def test_an_editable_package_is_linked_from_its_source(site, linked, tmp_path, monkeypatch):
    source = tmp_path / "source"
    (source / "edited_here").mkdir(parents=True)
    (source / "edited_here/__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(source))
    site("edited-here", "1.0", "edited-here-1.0.dist-info/direct_url.json")
    (tmp_path / "site/x.pth").write_text(f"{source}\n")
    (tmp_path / "site/edited-here-1.0.dist-info/direct_url.json").write_text('{"dir_info": {"editable": true}}')
    assert linked(edited_here="1.0")[1] == {"edited_here", "byoc_kit"}
