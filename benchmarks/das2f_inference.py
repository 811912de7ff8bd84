"""DAS²F: windows a second, from the published structure to ours, and the cost of training.

    python -m benchmarks.das2f_inference [--rounds 7] [--device cuda]

Core-milliseconds are processor time on one core, medians of interleaved rounds; the ratios are
within one run. Windows a second are by the clock with all cores, and mean little while other
programs run.
"""

import argparse
import os
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.measure import core_seconds, draw_bars, wall_seconds, write
from benchmarks.published import published_logits
from benchmarks.scan import machine_rates
from core.families.das2f.folded import FoldedDas2f
from core.families.das2f.network import Architecture, Das2f
from core.nn.decay import parameter_groups
from core.nn.dense import Dense

CONFIGURATIONS = {
    "published, two levels": Architecture.published(4, 11),
    "published, one level": Architecture.published(4, 11, levels=1),
    "default": Architecture(4, 11),
}
CORE_MILLISECONDS = "core-ms a window"
Rows = list[dict[str, object]]


def windows_of(
    architecture: Architecture, count: int, device: str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Random MS and PAN windows."""
    edge, fine = architecture.window, architecture.window * architecture.ratio
    ms = torch.randn(count, architecture.ms_bands, edge, edge, device=device)
    return ms, torch.randn(count, 1, fine, fine, device=device)


def inference(architecture: Architecture, rounds: int) -> Rows:
    """Core-milliseconds a window of every way to compute a configuration."""
    torch.set_num_threads(1)
    model = Das2f(architecture).eval()
    count = 16 * 256 // architecture.tokens
    ms, pan = windows_of(architecture, count)
    runs: dict[str, Callable[[], object]] = {}
    few = 2
    if architecture.fusion == "published":
        runs["published structure, plain loop"] = lambda: published_logits(model, ms, pan)
        # Two windows at once suit that structure best: its states then fit the cache.
        runs["published structure, two at once"] = lambda: published_logits(
            model, ms[:few], pan[:few]
        )
    plain_torch = Das2f(architecture, scan="torch").eval()
    plain_torch.load_state_dict(model.state_dict())
    folded_torch, folded = FoldedDas2f(model, scan="torch"), FoldedDas2f(model)
    runs["our network, scan in torch"] = lambda: plain_torch(ms, pan)
    runs["our network, compiled scan"] = lambda: model(ms, pan)
    runs["folded, scan in torch"] = lambda: folded_torch(ms, pan)
    runs["folded, compiled scan"] = lambda: folded(ms, pan)
    with torch.no_grad():
        times = core_seconds(runs, rounds)
    first = next(iter(runs))
    each = {
        name: 1e3 * seconds / (few if name.endswith("two at once") else count)
        for name, seconds in times.items()
    }
    return [
        {"variant": name, CORE_MILLISECONDS: value, f"times “{first}”": each[first] / value}
        for name, value in each.items()
    ]


def clock(architecture: Architecture, rounds: int, device: str) -> Rows:
    """Windows a second by the clock, by batch."""
    torch.set_num_threads((os.cpu_count() or 1) if device == "cpu" else 1)
    model = FoldedDas2f(Das2f(architecture).eval().to(device))
    rows: Rows = []
    for count in (64, 256, 1024) if device == "cpu" else (256, 1024, 4096):
        ms, pan = windows_of(architecture, count, device)
        seconds = wall_seconds(lambda ms=ms, pan=pan: model(ms, pan).cpu(), rounds)
        rows.append({"device": device, "batch": count, "windows/s": count / seconds})
    return rows


def training(architecture: Architecture, rounds: int) -> Rows:
    """Core-milliseconds a window of a training step, and its ratio to inference."""
    torch.set_num_threads(1)
    count = 32
    ms, pan = windows_of(architecture, count)
    target = torch.randint(0, architecture.classes, (count,))

    def step(forward: Callable[[], Tensor], few: int) -> None:
        optimizer.zero_grad()
        functional.cross_entropy(forward(), target[:few]).backward()
        optimizer.step()

    model = Das2f(architecture)
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.05), lr=1e-3, fused=True)
    folded = FoldedDas2f(model)
    runs: dict[str, Callable[[], object]] = {
        "inference, folded": lambda: folded(ms, pan),
        "training step": lambda: step(lambda: model(ms, pan), count),
    }
    if architecture.fusion == "published":
        few = 4
        runs["training step, published structure"] = lambda: step(
            lambda: published_logits(model, ms[:few], pan[:few]), few
        )
    times = core_seconds(runs, rounds)
    each = {
        name: 1e3 * seconds / (few if "published" in name else count)
        for name, seconds in times.items()
    }
    base = each["inference, folded"]
    return [
        {"variant": name, CORE_MILLISECONDS: value, "times inference": value / base}
        for name, value in each.items()
    ]


def half_precision(rounds: int) -> Rows:
    """Core-milliseconds of the network's wide maps for 32 default windows, float32 and bf16.

    bf16 counts with turning the numbers to bf16 and back: the scan and the norms need float32.
    """
    torch.set_num_threads(1)
    tokens, times_each = 32 * 64, 20
    rows: Rows = []
    for entering, leaving in ((64, 448), (64, 256), (256, 64)):
        x, weight = torch.randn(tokens, entering), torch.randn(leaving, entering)
        full, half = Dense(weight), weight.bfloat16()
        runs = {
            "float32": lambda full=full, x=x: [full(x) for _ in range(times_each)],
            "bf16": lambda half=half, x=x: [
                functional.linear(x.bfloat16(), half).float() for _ in range(times_each)
            ],
        }
        times = core_seconds(runs, rounds)
        each = {name: 1e3 * seconds / times_each for name, seconds in times.items()}
        rows.append({"map": f"{entering} → {leaving}", **each})
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    results: dict[str, Rows] = {}
    name = "das2f_inference" if options.device == "cpu" else f"das2f_inference_{options.device}"
    if options.device == "cpu":
        for title, architecture in CONFIGURATIONS.items():
            results[title] = inference(architecture, options.rounds)
            results[f"{title}: training"] = training(architecture, max(3, options.rounds // 2))
        results["half precision, core-ms"] = half_precision(options.rounds)
        results["rates"] = [{key: value for key, value in machine_rates().items()}]
    for title, architecture in CONFIGURATIONS.items():
        results[f"{title}: by the clock"] = clock(architecture, options.rounds, options.device)
    write(name, results)
    if options.device == "cpu":
        bars = results["published, two levels"]
        values = {str(row["variant"]): float(str(row[CORE_MILLISECONDS])) for row in bars}
        draw_bars(name, "DAS²F, two levels, exact", CORE_MILLISECONDS, values)


if __name__ == "__main__":
    main()
