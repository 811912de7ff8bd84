"""The proof of an environment, and what it says where something is broken."""

import importlib

import pytest
import torch
from terraweave.core.job import Job
from terraweave.core.nn import backends
from terraweave.core.progress import Event, Progress
from terraweave.core.worker import proof
from terraweave.core.worker.diagnosis import diagnose, versions
from terraweave.core.worker.proof import ProofError, prove, scan_backends, tried


def test_this_environment_proves_itself() -> None:
    events: list[Event] = []
    values = prove(Job("prove"), Progress(events.append))
    assert [one["name"] for one in values["checks"]] == list(proof.CHECKS)
    assert all(one["passed"] for one in values["checks"])
    fractions = [event["fraction"] for event in events if event["event"] == "progress"]
    assert fractions == sorted(fractions)


def test_package_that_does_not_import_fails_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def broken(name: str) -> object:
        if name == "rasterio":
            raise OSError("libexpat.so.1: cannot open shared object file")
        return real(name)

    monkeypatch.setattr(proof, "import_module", broken)
    with pytest.raises(ProofError, match=r"Packages does not work: OSError: libexpat\.so\.1"):
        prove(Job("prove"), Progress())


def test_device_that_computes_something_else_fails_the_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = iter([torch.tensor(1.0), torch.tensor(2.0)])
    monkeypatch.setattr(proof, "_one_step", lambda device: (next(results), torch.ones(3)))
    found = tried("Learning", proof.CHECKS["Learning"])
    assert not found.passed
    assert "a loss of 1.0000, the processor 2.0000" in found.finding


def test_gradient_that_is_not_finite_fails_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        proof, "_one_step", lambda device: (torch.tensor(1.0), torch.tensor([float("nan")]))
    )
    assert "not finite" in tried("Learning", proof.CHECKS["Learning"]).finding


def test_scan_that_fails_its_check_is_told_and_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent() -> backends.Kernel:
        raise ImportError("no such compiler")

    broken = backends.Backend("a fast one", None, absent)
    monkeypatch.setattr(backends, "BACKENDS", {"fast": broken, **backends.BACKENDS})
    found = tried("Selective scan", proof.CHECKS["Selective scan"])
    assert found.passed
    assert "no such compiler" in found.finding
    monkeypatch.setattr(backends, "BACKENDS", {"fast": broken})
    assert "no scan backend passes" in tried("x", proof.CHECKS["Selective scan"]).finding


def test_every_backend_is_told_with_its_check() -> None:
    found = {one["key"]: one for one in scan_backends()}
    assert set(found) == set(backends.BACKENDS)
    assert found["torch"]["works"]
    assert found["torch"]["difference"] < backends.TOLERANCE


def test_diagnosis_holds_numbers_and_no_paths() -> None:
    values = diagnose(Job("diagnose"), Progress())
    assert values["seconds"]["import_torch"] >= 0
    assert values["seconds"]["processor_scan"] > 0
    assert all(one["passed"] for one in values["checks"])
    assert values["versions"]["torch"].startswith("2.")
    assert "/" not in str(values["versions"]) + str(values["system"])


def test_package_that_is_not_installed_has_a_dash() -> None:
    assert versions()["mamba-ssm"] == "–" or versions()["mamba-ssm"][0].isdigit()
    assert versions()["numpy"][0].isdigit()
