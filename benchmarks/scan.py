"""The selective scan of one DAS²F block, by backend, forward and with gradients.

    python -m benchmarks.scan [--rounds 9]

One core, processor time, medians of interleaved rounds. The share of the limit compares the
arithmetic of a state update (13 instructions on the multiply-add ports) with what the best
matrix product in the same run makes of these ports.
"""

import argparse

import torch

from benchmarks.measure import core_seconds, draw_bars, write
from core.errors import InputError
from core.nn.backends import BACKENDS, choose
from core.nn.dense import Dense
from core.nn.scan import four_directions, selective_scan, selective_scan_ref

WINDOWS, SIDE, CHANNELS, STATES = 8, 16, 64, 24
UPDATES = 4 * SIDE * SIDE * CHANNELS * STATES
FLOPS_OF_AN_UPDATE = 2 * 13


def problem(windows: int) -> list[torch.Tensor]:
    """One block of ordinary size: u, p, a, d, bias, orders."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    tokens = SIDE * SIDE
    rates = -torch.arange(1, STATES + 1.0).repeat(1, 4, CHANNELS, 1)
    return [
        normal(1, windows, tokens, CHANNELS),
        normal(1, windows, tokens, 4, CHANNELS + 2 * STATES),
        rates * (0.5 + torch.rand(rates.shape, generator=generator)),
        normal(1, 4, CHANNELS),
        normal(1, 4, CHANNELS) - 3,
        four_directions(SIDE, SIDE),
    ]


def machine_rates() -> dict[str, float]:
    """GFLOP/s of the best product of matrices, and 10⁹ exps a second."""
    x, weight = torch.randn(2048, 1024), torch.randn(1024, 1024)
    packed, powers = Dense(weight), torch.randn(1 << 16)
    times = core_seconds({"product": lambda: packed(x), "exp": lambda: powers.exp()}, 9)
    return {
        "product": 2 * 2048 * 1024 * 1024 / times["product"] / 1e9,
        "exp": (1 << 16) / times["exp"] / 1e9,
    }


def candidates(windows: int, *, gradients: bool) -> dict[str, object]:
    """A run of each backend that works on this processor, and of the plain loop."""
    given = [
        value.requires_grad_(gradients and value.is_floating_point()) for value in problem(windows)
    ]
    grad = torch.randn(given[0].shape)

    def run(scan: object, **options: str) -> None:
        y = scan(*given, **options)
        if gradients:
            torch.autograd.grad(y, given[:5], grad)

    runs = {"plain loop": lambda: run(selective_scan_ref)}
    for key in BACKENDS:
        try:
            choose(torch.device("cpu"), torch.float32, CHANNELS, STATES, key)
        except InputError as error:
            print(error)
            continue
        runs[key] = lambda key=key: run(selective_scan, backend=key)
    return runs


def error_of(backend: str) -> float:
    """Root mean square difference from float64, relative."""
    values = problem(2)
    exact = selective_scan_ref(*(v.double() if v.is_floating_point() else v for v in values))
    ours = (
        selective_scan_ref(*values)
        if backend == "plain loop"
        else selective_scan(*values, backend=backend)
    )
    return ((ours - exact).square().mean() / exact.square().mean()).sqrt().item()


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    rates = machine_rates()
    with torch.no_grad():
        forward = core_seconds(candidates(WINDOWS, gradients=False), rounds)
    both = core_seconds(candidates(2, gradients=True), max(3, rounds // 3))
    rows = []
    for name, seconds in forward.items():
        updates = UPDATES * WINDOWS / seconds
        rows.append(
            {
                "backend": name,
                "core-ms a block": 1e3 * seconds / WINDOWS,
                "with gradients": 1e3 * both[name] / 2,
                "times the plain loop": forward["plain loop"] / seconds,
                "error to float64": error_of(name),
                "10⁹ updates/s": updates / 1e9,
                "share of the limit": updates * FLOPS_OF_AN_UPDATE / rates["product"] / 1e9,
            }
        )
    write(
        "scan", {"scan": rows, "rates": [{"GFLOP/s": rates["product"], "10⁹ exp/s": rates["exp"]}]}
    )
    draw_bars(
        "scan",
        "Selective scan of one block",
        "core-milliseconds a window",
        {str(row["backend"]): float(str(row["core-ms a block"])) for row in rows},
    )


if __name__ == "__main__":
    main()
