"""Green tint.

Exported from green_tint.ipynb by byoc-kit: change the notebook, not this file.
"""

# %% green_tint.ipynb, cell 2
import byoc_kit
from byoc_kit import Capability, VideoFrame
from pydantic import Field

capability = Capability(model_id="green-tint", price_per_unit=3000, warm=True)


# %% green_tint.ipynb, cell 4
class Params(byoc_kit.Params):
    gain: float = Field(1.4, ge=0, le=4, description="Gain of the green channel")


# %% green_tint.ipynb, cell 6
def process_frame(frame: VideoFrame, params: Params) -> VideoFrame:
    tinted = frame.tensor.clone()
    tinted[..., 1] *= params.gain
    return frame.replace(tensor=tinted)


# %% what byoc-kit serves
class Processor(byoc_kit.FrameProcessor):
    """Green tint, as a pytrickle FrameProcessor."""

    hooks = byoc_kit.Hooks.of(process_frame)
