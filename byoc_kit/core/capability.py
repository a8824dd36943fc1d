"""The capability that a container offers to the network, with its price, as orchestrators advertise it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, field_validator

PIPELINE = "live-video-to-video"
"""The kind of work that every capability here does, in the network's words."""

LIVE_RUNNER_HEALTH = "/health/live-runner"
"""The path at which a container says whether it can serve sessions of a Live Runner; ``runners.json`` names it."""

# In lower case it is also an image name: single separators, none at either end.
_MODEL_ID = re.compile(r"[A-Za-z0-9]+([._/-][A-Za-z0-9]+)*")
_LONGEST_MODEL_ID = 250  # with `byoc/` before it, it is an image's name, and Docker takes 255 characters
_INT64 = 2**63 - 1  # /capability/register reads a price into an int64

# https://semver.org
_NUMBER = r"(0|[1-9][0-9]*)"
_PRE_RELEASE = rf"({_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE_RELEASE}(\.{_PRE_RELEASE})*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)
_URL = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?(/[A-Za-z0-9._~-]+)*")
# https://pkg.go.dev/github.com/distribution/reference
_NAME = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"([A-Za-z0-9]+((\.|-+)[A-Za-z0-9]+)*)(:[0-9]+)?"
_IMAGE = re.compile(rf"({_HOST}/)?{_NAME}(/{_NAME})*(:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?")
_LONGEST_IMAGE = 255

_GPU = {"name": str, "vram_mb": int}


def plain_url(url: str) -> str:
    """Return a URL without user, query and slash at the end; raises ``ValueError`` for any other text."""
    try:
        is_whole = _URL.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:  # a port above 65535, or no IPv6 address in the brackets
        is_whole = False
    if not is_whole:
        msg = f"{url!r} must look like http://host:8000: http or https, plain letters, no slash at the end"
        raise ValueError(msg)
    return url


class Capability(BaseModel):
    """A model that is offered. In a notebook, write literals: the exporter reads them without running the cell.

    Parameters
    ----------
    model_id : str
        The name by which gateways find it: letters and digits, with single ``. _ / -`` between them.
    price_per_unit : int, optional
        The price of a compute unit in wei. A whole number: go-livepeer accepts neither a string nor a fraction.
    warm : bool, optional
        Whether the model stays loaded.
    capacity : int, optional
        How many streams the container serves at once.
    version : str, optional
        The model's own version, as in ``"1.4.0"``; see https://semver.org.
    description : str, optional
        What the model does, in one line for people.
    pixels_per_unit : int, optional
        How many pixels make a compute unit; by default, the orchestrator's ``-pixelsPerUnit`` decides.
    price_usd_per_hour : float, optional
        The price of a stream in US dollars per hour, for a Live Runner. Without it, it can only register off-chain.
    gpu : dict, optional
        The GPU that the model needs, as it is shown to clients: ``{"name": "NVIDIA L40S", "vram_mb": 46068}``, or only
        one of the two.
    url : str, optional
        Where orchestrators reach the container, without a slash at the end.
    image : str, optional
        The image's name, as in ``"registry.example/tint:1.4.0"``; by default it is made from the model id.

    Raises
    ------
    pydantic.ValidationError
        If an orchestrator could not advertise one of the values.

    Examples
    --------
    >>> import byoc_kit
    >>> byoc_kit.Capability(model_id="Green/Tint", price_per_unit=100, gpu={"vram_mb": 8192}).slug
    'green-tint'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: str = Field(max_length=_LONGEST_MODEL_ID)
    price_per_unit: StrictInt = Field(default=0, ge=0, le=_INT64)
    warm: StrictBool = True
    capacity: StrictInt = Field(default=1, ge=1, le=_INT64)
    version: StrictStr | None = None
    description: StrictStr = ""
    pixels_per_unit: StrictInt | None = Field(default=None, ge=1)
    price_usd_per_hour: StrictFloat | None = Field(default=None, gt=0, allow_inf_nan=False)
    gpu: dict[str, Any] | None = None
    url: StrictStr = "http://localhost:8000"
    image: StrictStr | None = Field(default=None, max_length=_LONGEST_IMAGE)

    @field_validator("model_id")
    @classmethod
    def _is_routable(cls, model_id: str) -> str:
        if not _MODEL_ID.fullmatch(model_id):
            msg = f"{model_id!r} must be letters and digits, with single . _ / - between them"
            raise ValueError(msg)
        return model_id

    @field_validator("version")
    @classmethod
    def _is_semantic(cls, version: str | None) -> str | None:
        if version is not None and not _VERSION.fullmatch(version):
            msg = f"{version!r} must be three numbers, as in 1.4.0"
            raise ValueError(msg)
        return version

    @field_validator("gpu", mode="before")
    @classmethod
    def _is_a_gpu(cls, gpu: Any) -> Any:
        if gpu is None:
            return None
        is_of_both = isinstance(gpu, dict) and gpu and all(type(gpu[key]) is _GPU.get(key) for key in gpu)
        if not is_of_both or gpu.get("name") == "" or gpu.get("vram_mb", 1) < 1:
            msg = f'{gpu!r} must be a name, megabytes of memory, or both: {{"name": "NVIDIA L40S", "vram_mb": 46068}}'
            raise ValueError(msg)
        return gpu

    @field_validator("url")
    @classmethod
    def _is_reachable(cls, url: str) -> str:
        return plain_url(url)

    @field_validator("image")
    @classmethod
    def _is_an_image(cls, image: str | None) -> str | None:
        if image is not None and not _IMAGE.fullmatch(image):
            msg = f"{image!r} must be the name of an image, as in registry.example/tint:1.4.0"
            raise ValueError(msg)
        return image

    @property
    def slug(self) -> str:
        """The model id as an image name's last part: lower case, no slash."""
        return self.model_id.lower().replace("/", "-")
