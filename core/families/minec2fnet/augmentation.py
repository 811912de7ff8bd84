"""What may differ between two pictures of the same mine: scale, light, haze, a missing band."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far training windows are changed; flips and rotations are the sampler's.

    `scale` is the largest magnification (its inverse the smallest), `gain` and `offset` the
    standard deviations of factor and shift of each band (in standard deviations of the band),
    `blur` and `drop` the shares of windows that are blurred or lose one of the bands `droppable`.
    """

    scale: float = 4 / 3
    gain: float = 0.1
    offset: float = 0.1
    blur: float = 0.2
    drop: float = 0.1
    droppable: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Windows:
    """Training windows: `bands` (b, band, row, column) standardised, 0 where not `valid`.

    `valid`, `labelled` and `target` are (b, row, column); only `labelled` pixels teach.
    """

    bands: Tensor
    valid: Tensor
    target: Tensor
    labelled: Tensor


def augmented(windows: Windows, how: Augmentation, random: torch.Generator) -> Windows:
    """The windows, each changed in its own way; what was not valid stays 0 and unlabelled."""
    windows = _rescaled(windows, _factors(len(windows.bands), how.scale, random))
    bands = _relit(windows.bands, how, random)
    bands = _blurred(bands, windows.valid, how.blur, random)
    bands = _thinned(bands, how, random)
    kept = bands * windows.valid[:, None]
    return Windows(kept, windows.valid, windows.target, windows.labelled)


def _factors(count: int, scale: float, random: torch.Generator) -> Tensor:
    """Magnifications (count,), as often above 1 as below."""
    return ((2 * torch.rand(count, generator=random) - 1) * math.log(scale)).exp()


def _rescaled(windows: Windows, factors: Tensor) -> Windows:
    """Windows magnified about their middle.

    Bands are bilinear, and missing pixels have no part in them. Masks and targets take the nearest
    pixel, so that a label stays the label that somebody gave. Ground from beyond the window is
    mirrored for the bands and unlabelled.
    """
    b, _, rows, columns = windows.bands.shape
    theta = torch.zeros(b, 2, 3, device=windows.bands.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / factors.to(theta)
    grid = functional.affine_grid(theta, [b, 1, rows, columns], align_corners=False)
    valid = windows.valid[:, None].to(windows.bands)
    share = _sampled(valid, grid, "bilinear", "reflection")
    bands = _sampled(windows.bands * valid, grid, "bilinear", "reflection")
    here = _sampled(valid, grid, "nearest", "reflection")[:, 0] > 0.5
    marks = torch.stack((windows.target, windows.labelled.to(windows.target)), dim=1)
    target, labelled = _sampled(marks, grid, "nearest", "zeros").unbind(1)
    bands = torch.where(here[:, None], bands / share.clamp(min=1e-3), 0.0)
    return Windows(bands, here, target, (labelled > 0.5) & here)


def _sampled(picture: Tensor, grid: Tensor, mode: str, padding: str) -> Tensor:
    return functional.grid_sample(picture, grid, mode, padding, align_corners=False)


def _relit(bands: Tensor, how: Augmentation, random: torch.Generator) -> Tensor:
    gain = 1 + how.gain * torch.randn(*bands.shape[:2], 1, 1, generator=random)
    offset = how.offset * torch.randn(*bands.shape[:2], 1, 1, generator=random)
    return bands * gain.to(bands) + offset.to(bands)


def _blurred(bands: Tensor, valid: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Some of the windows under a 3 × 3 binomial, its strength drawn; missing pixels stay out."""
    count = len(bands)
    chosen = (torch.rand(count, generator=random) < share) * torch.rand(count, generator=random)
    strength = chosen[:, None, None, None].to(bands)
    known = valid[:, None].to(bands)
    weight = _binomial(known).clamp(min=1e-3)
    return torch.lerp(bands, _binomial(bands * known) / weight, strength)


def _binomial(picture: Tensor) -> Tensor:
    """Each channel under (1 2 1)/4 both ways; 0 beyond the edges."""
    line = picture.new_tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line[None, :]).expand(picture.shape[1], 1, 3, 3)
    return functional.conv2d(picture, kernel, padding=1, groups=picture.shape[1])


def _thinned(bands: Tensor, how: Augmentation, random: torch.Generator) -> Tensor:
    """Some of the windows without one band, which is then its mean, 0."""
    count = len(bands)
    loses = torch.rand(count, generator=random) < how.drop
    which = torch.randint(0, max(1, len(how.droppable)), (count,), generator=random)
    if not how.droppable:
        return bands
    index = torch.tensor(how.droppable)[which]
    kept = torch.ones(bands.shape[:2])
    kept[torch.arange(count)[loses], index[loses]] = 0
    return bands * kept[:, :, None, None].to(bands)
