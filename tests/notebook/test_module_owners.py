import json

import pytest
from wheel_rig import install, site

from byoc_kit.notebook.module_owners import providers

__all__ = ["install", "site"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("torch", {"torch"}),
        ("torch.nn.functional", {"torch"}),
        ("yaml", {"pyyaml"}),
        ("PIL.Image", {"pillow"}),
        ("_cffi_backend", {"cffi"}),
        ("byoc_kit.core.params", {"byoc-kit"}),
        ("json", set()),
        ("no_such_module", set()),
    ],
)
def test_a_module_is_provided_by_the_distribution_that_has_its_file(name, found):
    assert providers(name) == found


def test_of_a_namespace_package_each_has_its_part(install):
    install("fake-protobuf", "", files=["fakegoogle/protobuf/__init__.py", "fakegoogle/protobuf/message.py"])
    install("fake-storage", "", files=["fakegoogle/cloud/storage/__init__.py"])
    install(
        "fake-core", "", files=["fakegoogle/cloud/core.py", "fakegoogle/cloud/_fast.cpython-311-x86_64-linux-gnu.so"]
    )
    assert providers("fakegoogle.protobuf.message") == {"fake-protobuf"}
    assert providers("fakegoogle.protobuf.message.Message") == {"fake-protobuf"}
    assert providers("fakegoogle.cloud.storage") == {"fake-storage"}
    assert providers("fakegoogle.cloud._fast") == {"fake-core"}
    assert providers("fakegoogle.cloud") == {"fake-storage", "fake-core"}
    assert providers("fakegoogle.gone") == set()


def test_one_module_of_two_distributions_is_of_both(install):
    install("fake-cv", "", files=["fakecv/__init__.py", "fakecv/gapi/__init__.py"])
    install("fake-cv-headless", "", files=["fakecv/__init__.py"])
    assert providers("fakecv") == {"fake-cv", "fake-cv-headless"}
    assert providers("fakecv.gapi") == {"fake-cv"}


def test_what_is_installed_later_is_found(install):
    assert providers("fake_later") == set()
    install("fake-later", "fake_later")
    assert providers("fake_later") == {"fake-later"}


def test_an_editable_install_provides_what_its_path_file_leads_to(install, site, tmp_path):
    source = tmp_path / "src"
    (source / "fake_linked").mkdir(parents=True)
    (source / "fake_linked" / "__init__.py").touch()
    (site / "_fake.pth").write_text(f"{source}\nimport os\n")
    url = json.dumps({"url": source.as_uri(), "dir_info": {"editable": True}})
    install("fake-linked", "", files=[], direct_url=url)
    (site / "fake_linked-1.0.dist-info" / "RECORD").write_text("_fake.pth,,\n")
    (source / "notes").mkdir()
    (source / "notes" / "todo.py").touch()
    assert providers("fake_linked.blur") == {"fake-linked"}
    assert providers("notes") == set()


def test_a_distribution_without_a_record_is_taken_at_its_word(install, site):
    install("fake-plain", "", files=[])
    (site / "fake_plain-1.0.dist-info" / "top_level.txt").write_text("fake_plain\n")
    assert providers("fake_plain.blur") == {"fake-plain"}


def test_a_file_next_to_the_modules_is_no_module(install):
    install("fake-files", "", files=["fake-data/a.txt", "fake.libs/b.so", "../../bin/fake", "__pycache__/c.pyc"])
    assert providers("fake") == set()
