"""The wire, between real processes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terraweave.core.worker.tasks import TASKS

ROOT = Path(__file__).resolve().parents[3]
# Greets, makes noise as a library would, then works until it is asked to stop.
WORKING = """
import os, sys
from core.worker.wire import Wire
wire = Wire()
wire.emit({"event": "log", "text": wire.read_job().strip()})
print("noise of a library")
os.write(1, b"noise of a C library\\n")
wire.watch(give_up=lambda: os._exit(5))
while not wire.cancelled():
    os.sched_yield()
wire.emit({"event": "result"})
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    """A worker process whose streams are pipes."""
    return subprocess.Popen(
        [sys.executable, "-E", "-s", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


@pytest.fixture
def working() -> Iterator[subprocess.Popen[str]]:
    """A worker that has greeted and goes on working."""
    process = start("-c", WORKING)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("the job\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["text"] == "the job"
    yield process
    process.kill()
    process.communicate()


def finish(process: subprocess.Popen[str], said: str | None) -> tuple[list[object], str]:
    """The events and the noise of a process after its input was closed with `said`."""
    out, err = process.communicate(said, timeout=60)
    return [json.loads(line) for line in out.splitlines()], err


def test_closed_input_ends_the_worker(working: subprocess.Popen[str]) -> None:
    events, _ = finish(working, None)
    assert events == [{"event": "result"}]
    assert working.returncode == 0


def test_cancel_ends_the_worker_while_its_input_stays_open(
    working: subprocess.Popen[str],
) -> None:
    assert working.stdin is not None
    assert working.stdout is not None
    working.stdin.write("cancel\n")
    working.stdin.flush()
    assert json.loads(working.stdout.readline()) == {"event": "result"}
    assert working.wait(timeout=60) == 0


def test_what_libraries_print_goes_to_standard_error(working: subprocess.Popen[str]) -> None:
    _, noise = finish(working, None)
    assert "noise of a library" in noise
    assert "noise of a C library" in noise


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{}\n", "has version None; this worker understands 1"),
        ("nonsense\n", "is not JSON"),
        ('{"terraweave_job": 1, "task": "dance"}\n', "no task “dance”"),
        (
            '{"terraweave_job": 1, "task": "inspect", "model": "gone.safetensors"}\n',
            "gone.safetensors cannot be read",
        ),
        ('{"terraweave_job": 1, "task": "train", "family": "x"}\n', "no model family “x”"),
    ],
)
def test_job_that_cannot_be_done_is_an_error_event_and_exit_code_2(
    line: str, sentence: str
) -> None:
    process = start("-m", "core", "-")
    events, _ = finish(process, line)
    assert process.returncode == 2
    assert sentence in events[-1]["text"]  # type: ignore[index]


def test_document_in_a_file_runs_without_a_host(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text('{"terraweave_job": 1, "task": "dance"}', encoding="utf-8")
    process = start("-m", "core", str(job))
    events, _ = finish(process, None)
    assert process.returncode == 2
    assert events == [
        {
            "event": "error",
            "kind": "InputError",
            "text": f"There is no task “dance”; there are {', '.join(sorted(TASKS))}.",
        }
    ]


def test_subcommand_speaks_to_a_person() -> None:
    process = start("-m", "core", "inspect", "gone.safetensors")
    out, _ = process.communicate(timeout=60)
    assert out.startswith("Error: gone.safetensors cannot be read")
    assert process.returncode == 2
