"""What benchmarks share: fair timing, facts about the machine, and results as files."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

import torch

RESULTS = Path(__file__).resolve().parent / "results"


def core_seconds(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median processor seconds of each candidate, in interleaved rounds.

    Processor time of all threads of this process, so that other programs disturb little; what
    they do to the caches remains. Every candidate runs once before.
    """
    for run in candidates.values():
        run()
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            start = time.process_time()
            run()
            taken[name].append(time.process_time() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def wall_seconds(run: Callable[[], object], rounds: int) -> float:
    """The median seconds of `run` on the clock."""
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def machine() -> dict[str, object]:
    """Date, processor, card and versions; nothing that tells where the files are."""
    facts: dict[str, object] = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "processor": _processor(),
        "cores": torch.get_num_threads(),
        # Above the number of cores, other programs were at work as well.
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if torch.cuda.is_available():
        facts["card"] = torch.cuda.get_device_name()
    if "numba" in sys.modules:
        facts["numba"] = sys.modules["numba"].__version__
    return facts


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of the same keys as a Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0])]
    lines += [[_text(value) for value in row.values()] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def write(name: str, results: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
    """Print each list of rows as a table, and keep all of them with the machine's facts."""
    about = machine()
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    for title, rows in results.items():
        print(f"\n{title}\n\n{table(rows)}")
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": about, **results}, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def draw_bars(name: str, title: str, unit: str, values: Mapping[str, float]) -> None:
    """A bar for each value, on a logarithmic axis, as an SVG among the results."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 0.5 * len(values) + 1.2), layout="constrained")
    bars = axes.barh(list(values), list(values.values()), color="#3b6e8f")
    axes.bar_label(bars, [f"{value:.3g}" for value in values.values()], padding=4)
    axes.set_xscale("log")
    axes.set_xmargin(0.12)
    axes.set_xlabel(unit)
    axes.set_title(title)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / f"{name}.svg", metadata={"Date": None})
