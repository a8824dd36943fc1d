"""``aiModels.json``: what an orchestrator advertises."""

from __future__ import annotations

import json

from byoc_kit.bundle.dockerfile import PORT
from byoc_kit.core.capability import Capability

PIPELINE = "live-video-to-video"


def image_name(capability: Capability) -> str:
    """Return the image's name, as ``byoc-kit build`` tags it."""
    return f"byoc/{capability.slug}:latest"


def render_ai_models(capability: Capability) -> str:
    """Render the one entry; ``price_per_unit`` is a JSON number, since go-livepeer stops at a string."""
    entry = {
        "pipeline": PIPELINE,
        "model_id": capability.model_id,
        "price_per_unit": capability.price_per_unit,
        "warm": capability.warm,
        "capacity": capability.capacity,
        "container": image_name(capability),
        "url": f"http://localhost:{PORT}",
    }
    return json.dumps([entry], indent=2) + "\n"
