"""Neural comic.

Exported from neural_comic.ipynb by byoc-kit; `byoc-kit sync` takes edits back to it.
"""

import byoc_kit
import torch
import torch.nn.functional as F
from byoc_kit import Capability, VideoFrame
from pydantic import Field
from safetensors.torch import load_file
from torch import nn

# %% cell 2 (capability)
capability = Capability(model_id="neural-comic", price_per_unit=5000, warm=True)


# %% cell 8 (network)
WIDTH = 16
SLOPE = 0.1
SPREAD = 8  # lines are small differences: with them this large it learns several times faster
MARGIN = 8  # so that the border of the picture is met by more picture, not by black


class Comic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, WIDTH, 6, stride=2, padding=2)
        self.middle = nn.Conv2d(WIDTH, WIDTH, 3, padding=2, dilation=2)
        self.last = nn.Conv2d(WIDTH, 4 * 4, 3, padding=1)

    def forward(self, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Take float [N, 3, H, W], 0..1, H and W even; return the flat picture, alike, and the ink [N, 1, H, W]."""
        spread = (picture - 0.5) * SPREAD
        hidden = F.leaky_relu(self.first(F.pad(spread, (MARGIN,) * 4, mode="replicate")), SLOPE)
        change = F.pixel_shuffle(self.last(F.leaky_relu(self.middle(hidden), SLOPE)), 2)
        change = change[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
        return picture + change[:, :3], change[:, 3:]


# %% cell 14 (load)
device = "cuda" if torch.cuda.is_available() else "cpu"
network = Comic()


def load_model() -> None:
    network.load_state_dict(load_file(byoc_kit.asset("neural_comic.safetensors")))
    network.eval().to(device, memory_format=torch.channels_last)


# %% cell 20 (process)
class Params(byoc_kit.Params):
    flat: float = Field(1.0, ge=0, le=1, description="How flat the colours become")
    ink: float = Field(1.0, ge=0, le=1, description="How black the lines are")


def resized(picture: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Scale uint8 [1, 3, H, W]."""
    return F.interpolate(picture, size=(height, width), mode="bilinear", antialias=True)


def process_frame(frame: VideoFrame, params: Params) -> VideoFrame:
    picture = torch.from_numpy(frame.pixels).permute(2, 0, 1)[None]
    small = resized(picture, (frame.height + 3) // 4 * 2, (frame.width + 3) // 4 * 2)
    small = small.to(device).to(torch.float32).div_(255)
    flat, ink = network(small)
    comic = torch.lerp(small, flat, params.flat) * (1 - params.ink * ink.clamp(0, 1))
    comic = comic.clamp_(0, 1).mul_(255).round_().to(torch.uint8).cpu()
    return frame.replace(pixels=resized(comic, frame.height, frame.width)[0].permute(1, 2, 0).numpy())


# %%
class Processor(byoc_kit.FrameProcessor):
    """Neural comic, as a pytrickle FrameProcessor."""

    hooks = byoc_kit.Hooks.of(process_frame, load_model=load_model)
