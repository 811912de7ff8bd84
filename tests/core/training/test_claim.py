"""One training at a time writes to a model file."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from terraweave.core.errors import InputError
from terraweave.core.training.claim import claimed

ROOT = Path(__file__).parents[3]
HOLDER = f"""
import importlib.util, sys
path = {str(ROOT)!r}
spec = importlib.util.spec_from_file_location(
    "terraweave", path + "/__init__.py", submodule_search_locations=[path]
)
module = importlib.util.module_from_spec(spec)
sys.modules["terraweave"] = module
spec.loader.exec_module(module)
from terraweave.core.training.claim import claimed
with claimed(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(model: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that trains into `model`."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_training_into_a_model_is_refused_and_told_who_trains(tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    with another_process(model) as process:
        with pytest.raises(InputError) as refusal, claimed(model):
            pytest.fail("the claim was given twice")
        assert f"writes to model.safetensors right now (process {process.pid}, since" in str(
            refusal.value
        )
        with claimed(tmp_path / "other.safetensors"):
            pass


def test_a_claim_ends_with_the_training_and_leaves_nothing(tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    for _ in range(2):
        with claimed(model):
            assert [one.name for one in tmp_path.iterdir()] == ["model.training.lock"]
    assert not list(tmp_path.iterdir())


def test_a_failed_training_claims_nothing_any_more(tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    with pytest.raises(ZeroDivisionError), claimed(model):
        _ = 1 / 0
    with claimed(model):
        pass


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="only POSIX has SIGKILL")
def test_what_a_killed_training_left_claims_nothing(tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    with another_process(model) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert (tmp_path / "model.training.lock").exists()
        with claimed(model):
            pass
    assert not list(tmp_path.iterdir())


def test_a_lock_file_that_says_nothing_sensible_does_not_hinder_the_sentence(
    tmp_path: Path,
) -> None:
    model = tmp_path / "model.safetensors"
    with another_process(model):
        (tmp_path / "model.training.lock").write_text("{]")
        with (
            pytest.raises(InputError, match="right now. Wait until it has ended"),
            claimed(model),
        ):
            pytest.fail("the claim was given twice")
