"""Looks at the graphics card and its driver, and chooses the build of torch, with the reason."""

import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import Cancelled
from .child import run_child

# The driver that CUDA 13, which torch 2.13 is built with, asks for.
OLDEST_DRIVER = 580
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Graphics:
    """What computes beside the processor: `nvidia`, `apple` or `none`, and a sentence about it."""

    kind: str
    sentence: str
    driver: int = 0

    @property
    def usable(self) -> bool:
        """Whether the builds of torch for it would find it."""
        return self.kind == "apple" or (self.kind == "nvidia" and self.driver >= OLDEST_DRIVER)


def find_graphics(platform: str, variables: Mapping[str, str]) -> Graphics:
    """The graphics of this machine; asks NVIDIA's own program, where there is one."""
    if platform == "macos-arm64":
        return Graphics("apple", "This is an Apple chip, whose graphics part torch can use.")
    program = nvidia_program(variables)
    if program is None:
        return Graphics("none", "No NVIDIA card was found: its program nvidia-smi is not there.")
    end = time.monotonic() + _SECONDS
    try:
        outcome = run_child(
            [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],
            variables,
            cancelled=lambda: time.monotonic() > end,
        )
    except (OSError, Cancelled):
        return Graphics("none", "The program of the NVIDIA driver does not answer.")
    return read_answer(outcome.status, outcome.text)


def nvidia_program(variables: Mapping[str, str]) -> Path | None:
    """The program nvidia-smi, where its driver is installed."""
    windows = Path(variables.get("SystemRoot", os.sep)) / "System32"
    folders = (variables.get("PATH", ""), str(windows), "/usr/bin", "/usr/lib/wsl/lib")
    found = shutil.which("nvidia-smi", path=os.pathsep.join(folders))
    return Path(found) if found else None


def read_answer(status: int, text: str) -> Graphics:
    """The graphics that nvidia-smi's answer tells of; the first card counts."""
    parts = [part.strip() for part in (text.strip().splitlines() or [""])[0].split(",")]
    if status or len(parts) != 3 or not parts[1].split(".")[0].isdigit():
        said = text.strip().splitlines()[0] if text.strip() else f"status {status}"
        return Graphics("none", f"The driver of the NVIDIA card does not work ({said}).")
    name, driver, memory = parts
    major = int(driver.split(".")[0])
    sentence = f"There is an NVIDIA card {name} ({memory}) with driver {driver}."
    if major < OLDEST_DRIVER:
        sentence += f" The driver is too old: torch needs {OLDEST_DRIVER} or newer."
    return Graphics("nvidia", sentence, major)


def choose_builds(
    wanted: str, builds: Sequence[str], graphics: Graphics
) -> tuple[tuple[str, ...], str]:
    """The builds to try, best first, and why, in words.

    `wanted` is auto, cpu or gpu; `builds` are what the lock has: `any`, or `cpu` and `cuda`.
    """
    if tuple(builds) == ("any",):
        return ("any",), f"{graphics.sentence} The platform has one build of torch."
    use_card = graphics.usable if wanted == "auto" else wanted == "gpu"
    if use_card:
        reason = f"The build of torch for NVIDIA cards is taken{_as(wanted)}."
        return ("cuda",), f"{graphics.sentence} {reason}"
    reason = f"{graphics.sentence} The build of torch for the processor is taken{_as(wanted)}"
    if "cpu" not in builds:
        return ("cuda",), (
            f"{graphics.sentence} The lock knows no build for the processor alone on this Python; "
            "the larger one for NVIDIA cards is taken, which computes on the processor too."
        )
    return ("cpu", "cuda"), (
        f"{reason}; where the package sources of this machine do not offer it, the larger one for "
        "NVIDIA cards, which computes on the processor too."
    )


def _as(wanted: str) -> str:
    return "" if wanted == "auto" else ", as asked"


def preferred_pythons(wanted: str, pythons: Iterable[str], cpu: Iterable[str]) -> tuple[str, ...]:
    """The Python versions to look for first: those with the build that is wanted."""
    return tuple(pythons) if wanted == "gpu" else tuple(cpu)
