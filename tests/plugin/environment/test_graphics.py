"""The card, its driver, and the build that is taken, with the reason."""

import os
from pathlib import Path

import pytest
from terraweave.plugin.environment.graphics import (
    Graphics,
    choose_builds,
    find_graphics,
    read_answer,
)

CARD = Graphics("nvidia", "There is a card.", 600)
NONE = Graphics("none", "There is no card.")


def test_card_and_driver_are_read() -> None:
    found = read_answer(0, "NVIDIA H200, 580.95.05, 143771 MiB\nNVIDIA H200, 580.95.05, 1 MiB\n")
    assert (found.kind, found.driver, found.usable) == ("nvidia", 580, True)
    assert "NVIDIA H200 (143771 MiB) with driver 580.95.05" in found.sentence


def test_old_driver_is_said() -> None:
    found = read_answer(0, "GeForce GTX 1060, 470.82, 6144 MiB")
    assert not found.usable
    assert "too old: torch needs 580 or newer" in found.sentence


def test_driver_that_does_not_work_is_no_card() -> None:
    text = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    found = read_answer(9, text)
    assert found.kind == "none"
    assert "NVIDIA-SMI has failed" in found.sentence


def test_program_of_the_driver_is_asked(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Tesla T4, 590.1, 15360 MiB'\n")
    program.chmod(0o755)
    found = find_graphics("linux-x86_64", {"PATH": f"{tmp_path}{os.pathsep}/bin"})
    assert "Tesla T4" in found.sentence


def test_apple_chip_needs_no_question() -> None:
    assert find_graphics("macos-arm64", {}).usable


@pytest.mark.parametrize(
    ("wanted", "builds", "graphics", "taken", "reason"),
    [
        ("auto", ("cpu", "cuda"), CARD, ("cuda",), "for NVIDIA cards is taken."),
        ("auto", ("cpu", "cuda"), NONE, ("cpu", "cuda"), "for the processor is taken;"),
        ("cpu", ("cpu", "cuda"), CARD, ("cpu", "cuda"), "for the processor is taken, as asked"),
        ("gpu", ("cpu", "cuda"), NONE, ("cuda",), "for NVIDIA cards is taken, as asked."),
        ("cpu", ("cuda",), NONE, ("cuda",), "no build for the processor alone"),
        ("auto", ("any",), CARD, ("any",), "one build of torch"),
    ],
)
def test_build_is_chosen_with_its_reason(
    wanted: str, builds: tuple[str, ...], graphics: Graphics, taken: tuple[str, ...], reason: str
) -> None:
    found, said = choose_builds(wanted, builds, graphics)
    assert found == taken
    assert said.startswith(graphics.sentence)
    assert reason in said
