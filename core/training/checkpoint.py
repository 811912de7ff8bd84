"""Where a training stands, kept beside the model so that a stopped run can go on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..card import PLANNED, STOPPED_AFTER
from ..scene.aside import written_aside

Numbers = Mapping[str, float | int | None]


@dataclass(slots=True)
class History:
    """What the epochs so far said, and the best averaged weights among them."""

    epochs: list[Numbers] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = float("-inf")
    best_state: dict[str, Tensor] = field(default_factory=dict)

    @property
    def stopped(self) -> dict[str, object]:
        """What a model's card says of a training that ended here: done, planned and best epoch.

        A threshold that did best after that epoch is with them.
        """
        if not self.epochs:
            return {}
        said: dict[str, object] = {STOPPED_AFTER: len(self.epochs)}
        if planned := self.epochs[-1].get("epochs"):
            said[PLANNED] = int(planned)
        said["best_epoch"] = self.best_epoch
        threshold = self.epochs[self.best_epoch - 1].get("threshold")
        return said if threshold is None else {**said, "threshold": threshold}

    def add(self, numbers: Numbers, score: float, network: nn.Module) -> None:
        """Take note of an epoch, and of the weights if it is the best so far."""
        self.epochs.append(numbers)
        if score < self.best_score:
            return
        self.best_epoch, self.best_score = len(self.epochs), score
        self.best_state = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}


class Checkpoint:
    """A safetensors file with weights, their mean, the optimiser's moments and the history.

    `fingerprint` names data, settings and software: a checkpoint of another run is not resumed.
    """

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        """`path` None keeps nothing on disk."""
        self.path = path
        self.extras: dict[str, Tensor] = {}
        self.history = History()
        self._fingerprint = fingerprint

    def restore(
        self, network: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer
    ) -> History:
        """Put everything back as it was saved; an empty history where there is nothing.

        What the trainee itself wanted to be kept is in `extras` afterwards. The history is also in
        `history`, and goes on there while the training does.
        """
        self.history = self._restored(network, averaged, optimizer)
        return self.history

    def _restored(
        self, network: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer
    ) -> History:
        if self.path is None or not self.path.exists():
            return History()
        try:
            with safe_open(self.path, framework="pt") as file:
                about = json.loads((file.metadata() or {}).get("training", "{}"))
                if about.get("fingerprint") != self._fingerprint:
                    return History()
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError):
            # A checkpoint that was cut off is worth nothing; the training starts anew.
            return History()
        network.load_state_dict(_part(tensors, "network."))
        averaged.load_state_dict(_part(tensors, "averaged."))
        _restore_moments(optimizer, _part(tensors, "moment."))
        self.extras = _part(tensors, "extra.")
        return History(
            epochs=about["epochs"],
            best_epoch=about["best_epoch"],
            best_score=about["best_score"],
            best_state=_part(tensors, "best."),
        )

    def save(
        self,
        network: nn.Module,
        averaged: nn.Module,
        optimizer: torch.optim.Optimizer,
        history: History,
        extras: Mapping[str, Tensor],
    ) -> None:
        """Write the state after an epoch, complete or not at all."""
        if self.path is None:
            return
        about = {
            "fingerprint": self._fingerprint,
            "epochs": history.epochs,
            "best_epoch": history.best_epoch,
            "best_score": history.best_score,
        }
        tensors = {
            **_named("network.", network.state_dict()),
            **_named("averaged.", averaged.state_dict()),
            **_named("best.", history.best_state),
            **_named("moment.", _moments(optimizer)),
            **_named("extra.", extras),
        }
        with written_aside(self.path) as aside:
            aside.write_bytes(save(tensors, metadata={"training": json.dumps(about)}))

    def remove(self) -> None:
        """Forget the run; it is finished."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: value.detach().cpu().clone() for key, value in tensors.items()}


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
    }


def _restore_moments(optimizer: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in moments.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
