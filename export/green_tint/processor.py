"""Green tint.

Exported from green_tint.ipynb by byoc-kit; `byoc-kit sync` takes edits back to it.
"""

import byoc_kit
from byoc_kit import Capability, VideoFrame
from pydantic import Field

# %% cell 2 (capability)
capability = Capability(model_id="green-tint", price_per_unit=3000, warm=True)


# %% cell 4 (params)
class Params(byoc_kit.Params):
    gain: float = Field(1.4, ge=0, le=4, description="Gain of the green channel")


# %% cell 6 (process)
def process_frame(frame: VideoFrame, params: Params) -> VideoFrame:
    tinted = frame.tensor.clone()
    tinted[..., 1] *= params.gain
    return frame.replace(tensor=tinted)


# %%
class Processor(byoc_kit.FrameProcessor):
    """Green tint, as a pytrickle FrameProcessor."""

    hooks = byoc_kit.Hooks.of(process_frame)
