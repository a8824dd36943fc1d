import re
import sys

import pytest

import byoc_kit
from byoc_kit.bundle.dockerfile import DOCKERIGNORE, render_dockerfile, render_dockerignore
from byoc_kit.core.capability import Capability

TINT = Capability(model_id="tint")


def last_stage(dockerfile):
    return dockerfile[dockerfile.rindex("FROM ") :]


def test_the_last_stage_installs_nothing_and_has_no_wheels():
    last = last_stage(render_dockerfile(TINT))
    assert "pip" not in last
    assert "wheels" not in last
    assert "COPY --from=build /opt/venv/ /opt/venv/\n" in last


@pytest.mark.parametrize(
    ("has_hashes", "install"),
    [
        (True, "RUN pip install --require-hashes --no-deps --requirement /tmp/requirements.lock\n"),
        (False, "RUN pip install --no-deps --requirement /tmp/requirements.lock\n"),
    ],
)
def test_hashes_are_required_where_there_are_some(has_hashes, install):
    assert install in render_dockerfile(TINT, has_hashes=has_hashes)


@pytest.mark.parametrize("python", byoc_kit.PYTHONS)
def test_the_image_has_the_bundles_python(python):
    dockerfile = render_dockerfile(TINT, python=python)
    assert f"ARG BASE_IMAGE=python:{python}-slim-bookworm\n" in dockerfile
    assert f"# Any base with Python {python} and its venv module will do.\n" in dockerfile


def test_the_bundles_python_is_the_one_that_exports():
    assert render_dockerfile(TINT) == render_dockerfile(TINT, python="{}.{}".format(*sys.version_info))


def test_assets_are_a_layer_of_their_own_before_the_processor():
    assert "assets" not in render_dockerfile(TINT)
    last = last_stage(render_dockerfile(TINT, has_assets=True))
    copies = [line.split()[2] for line in last.splitlines() if line.startswith("COPY --from=app ")]
    assert copies == ["/app/assets/", "/app/bundle.json"]
    assert "!assets\n" in DOCKERIGNORE


def test_weights_are_a_layer_of_their_own_before_their_lock():
    last = last_stage(render_dockerfile(TINT, has_remote=True, is_baked=True))
    copies = [line.split()[2] for line in last.splitlines() if line.startswith("COPY --from=app ")]
    assert copies == ["/app/weights/", "/app/assets.json", "/app/bundle.json"]
    assert "weights/" not in render_dockerfile(TINT, has_remote=True)


@pytest.mark.parametrize("has_assets", [False, True])
def test_nothing_of_the_bundle_can_be_written_by_who_runs_it(has_assets):
    dockerfile = render_dockerfile(TINT, has_assets=has_assets)
    assert "--chown" not in dockerfile
    copied, made_read_only = dockerfile.index("processor.py"), dockerfile.index("RUN chmod -R a=rX /app\n")
    assert copied < made_read_only < dockerfile.index("COPY --from=app") < dockerfile.index("USER byoc")


def test_who_starts_the_container_is_left_to_say_so():
    dockerfile = render_dockerfile(TINT)
    assert not {"PIPELINE", "MODEL_ID", "BYOC_KIT_CONTRACT"} & set(re.findall(r"[A-Z_]+", dockerfile))


@pytest.mark.parametrize("has_remote", [False, True])
def test_all_that_is_copied_goes_to_the_engine(has_remote):
    dockerfile = render_dockerfile(TINT, has_assets=True, has_remote=has_remote, is_baked=has_remote)
    ignored = render_dockerignore(has_remote=has_remote)
    allowed = {line[1:] for line in ignored.splitlines() if line.startswith("!")}
    copies = [line.split() for line in dockerfile.splitlines() if line.startswith("COPY ") and "--from" not in line]
    copied = {path.split("/")[0] for _, *paths, _ in copies for path in paths if not path.startswith("--")}
    assert copied == allowed
