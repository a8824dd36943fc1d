"""The capability that a container offers the network, as an orchestrator advertises it."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, field_validator

# Also an image name, once in lower case: single separators, none at either end.
_MODEL_ID = re.compile(r"[A-Za-z0-9]+([._/-][A-Za-z0-9]+)*")


class Capability(BaseModel):
    """A model on offer. In a notebook its arguments are literals: the exporter reads them without running the cell.

    Parameters
    ----------
    model_id : str
        What gateways route by: letters and digits, with single ``. _ / -`` between them.
    price_per_unit : int, optional
        The price in wei a compute unit. A whole number: go-livepeer stops at a string and rejects a fraction.
    warm : bool, optional
        Whether the model stays loaded.
    capacity : int, optional
        How many streams the container serves at once.

    Raises
    ------
    pydantic.ValidationError
        For a value that no orchestrator could advertise.

    Examples
    --------
    >>> import byoc_kit
    >>> byoc_kit.Capability(model_id="Green/Tint", price_per_unit=100).slug
    'green-tint'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: str
    price_per_unit: StrictInt = Field(default=0, ge=0)
    warm: StrictBool = True
    capacity: StrictInt = Field(default=1, ge=1)

    @field_validator("model_id")
    @classmethod
    def _is_routable(cls, model_id: str) -> str:
        if not _MODEL_ID.fullmatch(model_id):
            msg = f"{model_id!r} must be letters and digits, with single . _ / - between them"
            raise ValueError(msg)
        return model_id

    @property
    def slug(self) -> str:
        """The model id as an image name's last part: lower case, no slash."""
        return self.model_id.lower().replace("/", "-")
