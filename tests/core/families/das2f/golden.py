"""The reference tensors of the published network, where a checkout of the specifications is."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).resolve().parents[5] / "shared" / "golden"
NAMES = ("das2f_nanjing", "das2f_smallxian")

needs_golden = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the reference tensors (../shared/golden) are not here"
)


def load_golden(name: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """All tensors of a reference file, and its weights under the published names."""
    tensors = load_file(FOLDER / f"{name}.safetensors")
    head = "classifier.classifier_1.weight"
    state = {k.removeprefix("param."): v for k, v in tensors.items() if k.startswith("param.")}
    state[head] = torch.outer(tensors[f"param_factor.{head}.u"], tensors[f"param_factor.{head}.v"])
    return tensors, state
