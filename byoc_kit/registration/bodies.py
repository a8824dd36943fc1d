"""What a container says of itself to an orchestrator. The files of a bundle say the same, in the same words."""

from __future__ import annotations

import json
from typing import Any

from byoc_kit.core.capability import PIPELINE, Capability

PERSISTENT = "persistent"
SINGLE_SHOT = "single-shot"


def runner_label(capability: Capability) -> str:
    """Return the label of a Live Runner: the model id, which has no two hyphens, so no two models have the same."""
    return capability.model_id.replace("/", "--")


def runner_fields(
    capability: Capability, *, kit_version: str, params_sha256: str | None, mode: str = PERSISTENT
) -> dict[str, Any]:
    """Return what a heartbeat and an entry of ``runners.json`` have in common.

    ``params_sha256`` is that of the parameters' schema, where there is one.
    """
    metadata = {"byoc_kit": kit_version, "model_id": capability.model_id, "params_sha256": params_sha256}
    price = {"price": capability.price_usd_per_hour, "currency": "usd", "unit": "hour"}
    fields = {
        "app": f"{PIPELINE}/{capability.model_id}",
        "version": capability.version,
        "metadata": json.dumps(_said(metadata), separators=(",", ":")),
        "mode": mode,
        "capacity": capability.capacity,
        "gpu": capability.gpu,
        "price_info": price if capability.price_usd_per_hour is not None else None,
    }
    return _said(fields)


def capability_fields(capability: Capability, *, url: str, token: str | None = None) -> dict[str, Any]:
    """Return the body of BYOC's ``POST /capability/register``, where the name is what gateways route by.

    ``token`` is what the container demands of its callers, if it demands one.
    """
    fields = {
        "name": capability.model_id,
        "description": capability.description,
        "url": url,
        "capacity": capability.capacity,
        "price_per_unit": capability.price_per_unit,
        "price_scaling": 1,
        "currency": "wei",
        "token": token,
    }
    return _said(fields)


def _said(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
