"""What announces a container to an orchestrator: a file for each of the three ways, all from the one ``Capability``.

``aiModels.json`` is for go-livepeer's ai-worker, ``runners.json`` for its Live Runner registry, and ``register.json``
is the body of BYOC's ``POST /capability/register``.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from byoc_kit.core.capability import LIVE_RUNNER_HEALTH, PIPELINE, Capability
from byoc_kit.registration.bodies import capability_fields, runner_fields, runner_label

AI_MODELS = "aiModels.json"
IMAGE_OVERRIDES = "aiRunnerImageOverrides.json"
RUNNERS = "runners.json"
REGISTER = "register.json"


def image_name(capability: Capability) -> str:
    """Return the image's name, as ``byoc-kit build`` tags it."""
    return capability.image or f"byoc/{capability.slug}:latest"


def render_announcements(
    capability: Capability, *, managed: bool, kit_version: str, params_sha256: str | None = None
) -> dict[str, str]:
    """Render the files by their names.

    ``managed`` where the ai-worker is to start the container itself. ``params_sha256`` is that of the parameters'
    schema, where there is one.
    """
    files = {AI_MODELS: render_ai_models(capability, managed=managed)}
    if managed:
        files[IMAGE_OVERRIDES] = render_image_overrides({capability.model_id: image_name(capability)})
    return {
        **files,
        RUNNERS: render_runners(capability, kit_version=kit_version, params_sha256=params_sha256),
        REGISTER: render_register(capability),
    }


def render_ai_models(capability: Capability, *, managed: bool = False) -> str:
    """Render the one entry; ``price_per_unit`` is a JSON number, since go-livepeer stops at a string.

    An entry with a ``url`` is a container that runs already. One without is started by the ai-worker, for one stream on
    a GPU of its own, and ``capacity`` there is a number of containers: that is for whoever has the GPUs to say.
    """
    entry: dict[str, Any] = {"pipeline": PIPELINE, "model_id": capability.model_id}
    entry["price_per_unit"] = capability.price_per_unit
    if capability.pixels_per_unit is not None:
        entry["pixels_per_unit"] = capability.pixels_per_unit
    entry["warm"] = capability.warm
    if managed:
        entry["container"] = image_name(capability)
    else:
        entry |= {"capacity": capability.capacity, "container": image_name(capability), "url": capability.url}
    return _dump([entry])


def render_image_overrides(images: dict[str, str]) -> str:
    """Render the value of ``-aiRunnerImageOverrides``: the image of each model, which ``aiModels.json`` cannot say."""
    return _dump({"live": images})


def render_runners(capability: Capability, *, kit_version: str, params_sha256: str | None = None) -> str:
    """Render the configuration of one static Live Runner."""
    health = LIVE_RUNNER_HEALTH if not urlsplit(capability.url).path else capability.url + LIVE_RUNNER_HEALTH
    entry = {
        "label": runner_label(capability),
        "routing": "label",
        "runner_url": capability.url,
        "health_url": health,
        **runner_fields(capability, kit_version=kit_version, params_sha256=params_sha256),
    }
    return _dump({"runners": [entry]})


def render_register(capability: Capability) -> str:
    """Render the body of ``POST /capability/register``."""
    return _dump(capability_fields(capability, url=capability.url))


def _dump(document: Any) -> str:
    return json.dumps(document, indent=2) + "\n"
