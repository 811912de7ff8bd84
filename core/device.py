"""Which device the network runs on, with the reason in words."""

from dataclasses import dataclass

import torch

from .errors import InputError


@dataclass(frozen=True, slots=True)
class Device:
    """A torch device and why it was chosen, as a sentence for the log."""

    torch: torch.device
    reason: str


def choose_device(wanted: str) -> Device:
    """The device for the setting `wanted`: auto, cuda, mps or cpu.

    Raises:
        InputError: a device was asked for by name and is not there.
    """
    if wanted == "cpu":
        return Device(torch.device("cpu"), f"Running on the processor ({_threads()}), as set.")
    if wanted in {"auto", "cuda"} and torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return Device(
            torch.device("cuda"), f"Running on the NVIDIA card {name} ({memory:.0f} GiB)."
        )
    if wanted in {"auto", "mps"} and torch.backends.mps.is_available():
        return Device(torch.device("mps"), "Running on the graphics part of the Apple chip.")
    if wanted != "auto":
        raise InputError(f"The device “{wanted}” cannot be used: {_why_not(wanted)} Choose “auto”.")
    return Device(
        torch.device("cpu"), f"Running on the processor ({_threads()}): {_why_not('cuda')}"
    )


def _threads() -> str:
    count = torch.get_num_threads()
    return "1 thread" if count == 1 else f"{count} threads"


def _why_not(kind: str) -> str:
    if kind == "mps":
        return "this machine has no Apple graphics."
    if not torch.version.cuda:
        return "the worker's torch is built without CUDA."
    return "no NVIDIA card or no working driver was found."
