"""Motion trails.

Exported from motion_trails.ipynb by byoc-kit; `byoc-kit sync` takes edits back to it.
"""

from typing import Literal

import byoc_kit
import torch
import torch.nn.functional as F
from byoc_kit import Capability, VideoFrame
from pydantic import Field

# %% cell 2 (capability)
capability = Capability(model_id="motion-trails", price_per_unit=3000, warm=True, capacity=1)


# %% cell 5 (params)
class Params(byoc_kit.Params):
    colour: Literal["fire", "ice", "neon"] = Field("fire", description="Colours of a trail as it fades")
    strength: float = Field(1.0, ge=0, le=2, description="Brightness of the trails")
    threshold: float = Field(0.06, ge=0, le=0.5, description="Change of brightness that counts as motion, of 1")
    half_life_s: float = Field(0.3, ge=0.02, le=3, description="Seconds in which a trail fades to half")
    dim: float = Field(0.5, ge=0, le=1, description="How dark the picture goes behind the trails")


# %% cell 7 (memory)
AVERAGE_HALF_LIFE_S = 0.15
MAX_GAP_S = 1.0
GAIN = 4.0  # how fast motion above the threshold becomes full heat


class Trails:
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.average: torch.Tensor | None = None
        self.heat: torch.Tensor | None = None
        self.time_s = 0.0

    def see(self, grey: torch.Tensor, time_s: float, params: Params) -> tuple[torch.Tensor, float]:
        """Take float [h, w], 0..1; return the heat, alike, and the part of the picture that moves."""
        passed_s, self.time_s = time_s - self.time_s, time_s
        if self.average is None or self.average.shape != grey.shape or not 0 <= passed_s <= MAX_GAP_S:
            self.average, self.heat, passed_s = grey, torch.zeros_like(grey), 0.0
        motion = ((grey - self.average).abs() - params.threshold).clamp(min=0)
        self.heat = torch.maximum(self.heat * 0.5 ** (passed_s / params.half_life_s), (motion * GAIN).clamp(max=1))
        self.average = torch.lerp(grey, self.average, 0.5 ** (passed_s / AVERAGE_HALF_LIFE_S))
        return self.heat, float(motion.count_nonzero() / motion.numel())


trails = Trails()


def on_stream_start(params: Params) -> None:
    trails.forget()


# %% cell 9 (light)
COLOURS = {
    "fire": [(0, 0, 0), (170, 20, 0), (255, 130, 0), (255, 240, 180)],
    "ice": [(0, 0, 0), (0, 50, 170), (0, 180, 255), (230, 255, 255)],
    "neon": [(0, 0, 0), (110, 0, 170), (255, 40, 160), (150, 255, 220)],
}


def light_of(heat: torch.Tensor, params: Params) -> torch.Tensor:
    """Take float [h, w], 0..1; return uint8 [h, w, 3]."""
    stops = torch.tensor(COLOURS[params.colour], dtype=torch.float32).T[None]
    table = F.interpolate(stops, size=256, mode="linear", align_corners=True)[0].T
    return (table * params.strength).clamp(max=255).to(torch.uint8)[(heat * 255).int()]


# %% cell 11 (process)
LUMA = torch.tensor([0.299, 0.587, 0.114]) / 255


def resized(picture: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Scale uint8 [H, W, 3]."""
    planes = picture.permute(2, 0, 1)[None]
    return F.interpolate(planes, size=(height, width), mode="bilinear", antialias=True)[0].permute(1, 2, 0)


def process_frame(frame: VideoFrame, params: Params) -> VideoFrame:
    picture = torch.from_numpy(frame.pixels)
    small = resized(picture, (frame.height + 3) // 4, (frame.width + 3) // 4)
    heat, moving = trails.see(small.float() @ LUMA, frame.time_s, params)
    byoc_kit.publish({"time_s": round(frame.time_s, 3), "moving": round(moving, 4)})

    light = resized(light_of(heat, params), frame.height, frame.width)
    brightness = round((1 - params.dim) * 128)  # of 128, so that 255 times it fits into 16 bits
    dimmed = picture.to(torch.int16).mul_(brightness).bitwise_right_shift_(7).to(torch.uint8)
    room = 255 - dimmed
    return frame.replace(pixels=dimmed.add_(torch.minimum(light, room)).numpy())


# %%
class Processor(byoc_kit.FrameProcessor):
    """Motion trails, as a pytrickle FrameProcessor."""

    hooks = byoc_kit.Hooks.of(process_frame, on_stream_start=on_stream_start)
