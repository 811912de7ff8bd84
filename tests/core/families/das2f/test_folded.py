"""Folded inference against the plain network."""

import itertools

import pytest
import torch
from terraweave.core.errors import InputError
from terraweave.core.families.das2f import folded
from terraweave.core.families.das2f.checkpoint import import_published
from terraweave.core.families.das2f.folded import FoldedDas2f
from terraweave.core.families.das2f.network import Architecture, Das2f
from terraweave.core.families.das2f.tokens import TorchTokens
from terraweave.core.families.das2f.tokens_numba import NumbaTokens, choose_tokens, self_check
from torch import Tensor, nn

from .golden import NAMES, load_golden, needs_golden

HEADS = ("published", "linear", "pooled", "centre")


def network(architecture: Architecture) -> Das2f:
    """A network none of whose norms, biases and statistics is trivial."""
    torch.manual_seed(5)
    model = Das2f(architecture).eval()
    for parameter in model.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model


def inputs(architecture: Architecture, batch: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    edge, fine = architecture.window, architecture.window * architecture.ratio
    ms = torch.randn(batch, architecture.ms_bands, edge, edge, generator=generator)
    return ms, torch.randn(batch, 1, fine, fine, generator=generator)


def relative(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


@pytest.mark.parametrize(
    ("window", "ratio", "levels", "fusion"),
    list(itertools.product((8, 16), (2, 4), (1, 2), ("published", "convex"))),
)
def test_every_fold_is_exact(window: int, ratio: int, levels: int, fusion: str) -> None:
    # The published head of large windows is checked against the reference tensors instead.
    for head in HEADS if window == 8 else HEADS[1:]:
        architecture = Architecture(3, 5, window, ratio, levels, fusion, head)
        model = network(architecture).double()
        ms, pan = (x.double() for x in inputs(architecture, 2))
        with torch.no_grad():
            assert relative(FoldedDas2f(model)(ms, pan), model(ms, pan)) < 1e-12, head


@pytest.mark.parametrize("fusion", ["published", "convex"])
@pytest.mark.parametrize("scan", ["auto", "torch"])
def test_single_precision_is_as_close_as_the_plain_network(fusion: str, scan: str) -> None:
    architecture = Architecture(4, 6, levels=2, fusion=fusion)
    model = network(architecture)
    ms, pan = inputs(architecture, 5)
    fast = FoldedDas2f(model, scan)(ms, pan)
    with torch.no_grad():
        exact = model.double()(ms.double(), pan.double())
    assert fast.dtype == torch.float32
    # The published fusion is close to a sign, which amplifies rounding.
    assert relative(fast, exact) < (3e-5 if fusion == "published" else 3e-6)


@needs_golden
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 2e-7), (torch.float32, 2e-6)])
def test_logits_are_those_of_the_published_network(
    name: str, dtype: torch.dtype, tolerance: float
) -> None:
    tensors, state = load_golden(name)
    architecture, ours = import_published(state)
    model = Das2f(architecture)
    model.load_state_dict(ours)
    fast = FoldedDas2f(model.to(dtype))
    logits = fast.logits(tensors["input.ms"].to(dtype), tensors["input.pan"].to(dtype))
    assert relative(logits, tensors["output.logits"]) < tolerance


@pytest.mark.parametrize("threads", [1, 3])
def test_the_answer_does_not_depend_on_batches_and_threads(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture = Architecture(4, 3)
    model = network(architecture)
    ms, pan = inputs(architecture, 21)
    whole = FoldedDas2f(model).logits(ms, pan)
    monkeypatch.setattr(folded, "TOKENS_AT_ONCE", 4 * architecture.tokens)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        parts = FoldedDas2f(model).logits(ms, pan)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-5)


def test_no_windows_give_no_logits() -> None:
    architecture = Architecture(4, 3)
    assert FoldedDas2f(network(architecture)).logits(*inputs(architecture, 0)).shape == (0, 3)


def test_a_window_with_nan_spoils_only_itself() -> None:
    architecture = Architecture(4, 3)
    ms, pan = inputs(architecture, 4)
    fast = FoldedDas2f(network(architecture))
    clean = fast.logits(ms, pan)
    ms[2, 0, 3, 3] = float("nan")
    spoilt = fast.logits(ms, pan)
    assert spoilt[2].isnan().all()
    assert torch.equal(spoilt[[0, 1, 3]], clean[[0, 1, 3]])


def test_a_scan_backend_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="no scan backend “fast”"):
        FoldedDas2f(network(Architecture(4, 3)), scan="fast")


def test_the_choice_of_implementations_is_said() -> None:
    scan, tokens = FoldedDas2f(network(Architecture(4, 3)), scan="torch").reasons
    assert scan == "Selective scan: plain torch."
    assert tokens.startswith("Steps between matrix products: compiled by numba.")


def test_compiled_steps_agree_with_plain_torch() -> None:
    assert self_check(NumbaTokens()) < 2e-6


class Wrong(NumbaTokens):
    """Steps one of which is off."""

    def normalised(self, x: Tensor) -> Tensor:
        return super().normalised(x) * 1.01


def test_steps_that_are_off_are_noticed() -> None:
    assert self_check(Wrong()) > 1e-3


def test_double_precision_takes_the_steps_in_plain_torch() -> None:
    tokens, reason = choose_tokens(torch.device("cpu"), torch.float64)
    assert isinstance(tokens, TorchTokens)
    assert "torch.float64" in reason
