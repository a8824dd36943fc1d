import json
import subprocess
import sys
from importlib.metadata import version

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from wheel_rig import index, install, known_kit, make_wheel, sha256_of, site

from byoc_kit.bundle.lock import make_lock
from byoc_kit.bundle.sbom import render_sbom
from byoc_kit.core.capability import Capability

__all__ = ["index", "install", "known_kit", "site"]

TINT = Capability(model_id="acme/Tint")


@pytest.fixture
def wheel(index, install):
    install("fake-a", "fake_a", "av", License="")
    return make_wheel(index, "fake-a")


@pytest.fixture
def text(wheel, known_kit, tmp_path):
    return render_sbom(make_lock(["fake_a"], tmp_path), TINT)


@pytest.fixture
def components(text):
    return {one["name"]: one for one in json.loads(text)["components"]}


def test_it_is_valid_by_the_schema_of_cyclonedx(text):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_names_each_locked_distribution_with_its_hash_and_the_kit_without(components, wheel, known_kit, tmp_path):
    lock = make_lock(["fake_a"], tmp_path)
    assert components.keys() == {"byoc-kit", *(one.name for one in lock.locked)}
    assert components["fake-a"]["hashes"] == [{"alg": "SHA-256", "content": sha256_of(wheel)}]
    assert components["fake-a"]["purl"] == "pkg:pypi/fake-a@1.0"
    assert "hashes" not in components["byoc-kit"]
    assert components["torch"]["version"] == version("torch")
    assert components["torch"]["purl"] == f"pkg:pypi/torch@{version('torch').replace('+', '%2B')}"


def test_licences_are_those_of_the_metadata(components):
    assert components["byoc-kit"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert components["aiohttp"]["licenses"] == [{"expression": "Apache-2.0 AND MIT"}]
    without = {name for name, one in components.items() if "licenses" not in one}
    assert without <= {"fake-a"}


def test_the_graph_leads_from_the_model_to_all(text):
    content = json.loads(text)
    graph = {one["ref"]: one.get("dependsOn", []) for one in content["dependencies"]}
    root = content["metadata"]["component"]["bom-ref"]
    assert root == "acme-tint"
    assert [ref.partition("@")[0] for ref in graph[root]] == ["pkg:pypi/byoc-kit", "pkg:pypi/fake-a"]
    reached, to_visit = set(), [root]
    while to_visit:
        ref = to_visit.pop()
        if ref not in reached:
            reached.add(ref)
            to_visit += graph[ref]
    assert reached == {root, *(one["bom-ref"] for one in content["components"])}


def test_the_same_lock_gives_the_same_bytes_and_another_another_number(text, known_kit, tmp_path):
    assert render_sbom(make_lock(["fake_a"], tmp_path), TINT) == text
    other = render_sbom(make_lock([], tmp_path), TINT)
    assert json.loads(other)["serialNumber"] != json.loads(text)["serialNumber"]
    assert "timestamp" not in text


def test_without_hashes_it_is_valid_too(tmp_path):
    text = render_sbom(make_lock([], tmp_path, with_hashes=False), TINT)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert "hashes" not in text


@pytest.mark.parametrize(
    ("direct_url", "purl"),
    [
        ({"dir_info": {}}, "pkg:generic/fake-local@1.0"),
        ({"archive_info": {}}, "pkg:generic/fake-local@1.0"),
    ],
)
def test_what_was_built_here_is_no_package_of_an_index(install, known_kit, tmp_path, direct_url, purl):
    wheel = make_wheel(tmp_path / "mine", "fake-local")
    install("fake-local", "fake_local", direct_url=json.dumps({"url": wheel.as_uri(), **direct_url}))
    content = json.loads(render_sbom(make_lock(["fake_local"], tmp_path), TINT))
    assert purl in [one["purl"] for one in content["components"]]
    assert str(tmp_path) not in json.dumps(content)


def test_its_library_loads_only_where_it_is_written():
    code = "import byoc_kit.bundle.plan, byoc_kit.cli, sys; print('cyclonedx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
