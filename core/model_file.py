"""Model files with their weights: written whole, read with suspicion."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from .card import METADATA_KEY, Card, read_card
from .errors import ModelFileError
from .scene.aside import written_aside


def write_model(path: str | Path, card: Card, state: Mapping[str, torch.Tensor]) -> None:
    """Write card and weights as one safetensors file, complete or not at all."""
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
    text = json.dumps(card.to_json(), ensure_ascii=False, allow_nan=False)
    # Bytes rather than `save_file`, which makes files that only their owner may read.
    with written_aside(path) as aside:
        aside.write_bytes(save(tensors, metadata={METADATA_KEY: text}))


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of the model file at `path`, on the CPU.

    Raises:
        ModelFileError: the file is damaged, or holds weights that are not finite.
    """
    read_card(path)
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{Path(path).name} cannot be read: {error}.") from error
    for key, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelFileError(
                f"{Path(path).name} holds weights that are not numbers ({key[:80]}); train the "
                "model again or use another copy."
            )
    return state


def load_into(network: nn.Module, path: str | Path) -> None:
    """Fill `network` with the weights of the model file at `path`.

    Raises:
        ModelFileError: names or shapes differ from what the file's card describes.
    """
    state = read_weights(path)
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    for key in sorted(set(expected) | set(found)):
        if expected.get(key) != found.get(key):
            raise ModelFileError(
                f"{Path(path).name} does not fit its own card: “{key[:80]}” has the shape "
                f"{found.get(key, 'of nothing')}, expected {expected.get(key, 'nothing')}."
            )
    network.load_state_dict(state)
