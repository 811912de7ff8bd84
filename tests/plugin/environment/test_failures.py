"""Every class of failure, provoked: its sentence, and the old environment that still works."""

import errno
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from qgis.core import QgsProcessingFeedback
from terraweave.plugin.environment.failures import (
    FAILURES,
    SetupError,
    classified,
    classified_os_error,
)
from terraweave.plugin.environment.install import install
from terraweave.plugin.environment.installers import Sources
from terraweave.plugin.environment.network import Network, with_authorities
from terraweave.plugin.environment.places import Places
from terraweave.plugin.environment.plan import Plan, Request, check_room, make_plans
from terraweave.plugin.environment.proof import prove_environment
from terraweave.plugin.environment.pythons import Python, PythonError, choose_python

from .stand_ins import Index, believed, locked, make_wheel, old_one_works, reply

pytestmark = pytest.mark.usefixtures("qgis_app")
Variables = dict[str, str]
Serve = Callable[[Callable[[BaseHTTPRequestHandler], None]], ThreadingHTTPServer]
Fail = Callable[..., SetupError]


@pytest.fixture
def fail(plan: Plan, places: Places, variables: Variables, listener: QgsProcessingFeedback) -> Fail:
    """Installs, expects a failure and that the old environment survives it."""

    def run(index: str = "", prove: Callable[..., object] = believed, **told: str) -> SetupError:
        changed = replace(plan, sources=Sources(index=index)) if index else plan
        with pytest.raises(SetupError) as caught:
            install([changed], variables | told, listener, prove=prove)
        assert old_one_works(places)
        return caught.value

    return run


def test_index_that_refuses(serve: Serve, fail: Fail) -> None:
    server = serve(lambda handler: None)
    server.shutdown()
    server.server_close()
    error = fail(f"http://127.0.0.1:{server.server_port}/simple")
    assert error.kind == "no_network"
    assert "could not be reached" in str(error)
    assert "folder of wheels (WHEELS)" in str(error)


def test_index_whose_name_nobody_knows(fail: Fail) -> None:
    error = fail("https://terraweave.invalid/simple")
    assert error.kind == "name_resolution"
    assert "could not be looked up" in str(error)


def test_index_without_encryption(fail: Fail) -> None:
    error = fail("http://terraweave.invalid/simple")
    assert error.kind == "insecure_index"
    assert "beginning with https" in str(error)


def test_index_that_breaks_off(index: Index, fail: Fail) -> None:
    def break_off(handler: BaseHTTPRequestHandler) -> bool:
        if not handler.path.startswith("/files/torch"):
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.wfile.write(b"only this")
        return True

    index.misbehave = break_off
    assert fail().kind in ("no_network", "tampered")


def test_index_with_a_certificate_that_nobody_trusts(
    serve: Serve, tmp_path: Path, fail: Fail
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    server = serve(lambda handler: reply(handler, b""))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    error = fail(f"https://127.0.0.1:{server.server_port}/simple")
    assert error.kind == "tls"
    assert "Settings, Options, Authentication" in str(error)
    told = with_authorities({}, Network(authorities=certificate.read_text()), tmp_path / "all.pem")
    trusting = fail(f"https://127.0.0.1:{server.server_port}/simple", **told)
    assert trusting.kind == "resolver", f"the certificate is trusted, the index empty: {trusting}"


def test_proxy_that_asks_for_a_password(serve: Serve, fail: Fail) -> None:
    server = serve(lambda handler: reply(handler, b"", status=407))
    error = fail(
        "https://terraweave.invalid/simple", HTTPS_PROXY=f"http://127.0.0.1:{server.server_port}"
    )
    assert error.kind == "proxy_authentication"
    assert "Settings, Options, Network" in str(error)


def test_proxy_that_is_not_there(serve: Serve, fail: Fail) -> None:
    server = serve(lambda handler: None)
    server.shutdown()
    server.server_close()
    proxy = f"http://127.0.0.1:{server.server_port}"
    assert fail("https://terraweave.invalid/simple", HTTPS_PROXY=proxy).kind == "proxy"


def test_package_that_a_mirror_changed(index: Index, fail: Fail) -> None:
    make_wheel(index.folder, "torch", source="import os  # not what was tested")
    error = fail()
    assert error.kind == "tampered"
    assert "its hash differs from the lock" in str(error)


def test_index_without_the_version_of_the_lock(index: Index, fail: Fail) -> None:
    (index.folder / "torch-1.0-py3-none-any.whl").unlink()
    make_wheel(index.folder, "torch", "2.0")
    error = fail()
    assert error.kind == "resolver"
    assert "does not offer what the lock asks for" in str(error)


def test_wheel_in_a_folder_that_was_changed(
    plan: Plan, index: Index, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    make_wheel(index.folder, "tinyweave", source="print('hello from a stranger')")
    offline = replace(plan, sources=Sources(folder=str(index.folder)))
    with pytest.raises(
        SetupError, match="tinyweave-1.0.* is not the one that was tested"
    ) as caught:
        install([offline], variables, listener, prove=believed)
    assert caught.value.kind == "tampered"
    assert old_one_works(places)


def test_wheel_that_is_missing_in_a_folder(
    plan: Plan, index: Index, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    (index.folder / "tinyweave-1.0-py3-none-any.whl").unlink()
    offline = replace(plan, sources=Sources(folder=str(index.folder)))
    with pytest.raises(SetupError, match="1 packages are missing .* tinyweave.* ACTION=fetch"):
        install([offline], variables, listener, prove=believed)
    assert old_one_works(places)


def test_build_that_a_folder_was_filled_for_is_the_one_that_is_told(
    plan: Plan, index: Index, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    """One file is missing for the small build, and all that the large one has besides."""
    more = [make_wheel(index.folder.parent, f"nvidia{number}") for number in range(3)]
    large = replace(
        plan, build="cuda", wheels=(*plan.wheels, *(locked(one, plan.minor) for one in more))
    )
    (index.folder / "tinyweave-1.0-py3-none-any.whl").unlink()
    offline = [replace(one, sources=Sources(folder=str(index.folder))) for one in (large, plan)]
    for plans in (offline, offline[::-1]):
        with pytest.raises(SetupError, match="1 packages are missing .*: tinyweave"):
            install(plans, variables, listener, prove=believed)
    assert old_one_works(places)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts small file systems in memory."""
    mounted: list[Path] = []

    if not Path("/proc/self/mountinfo").exists():
        pytest.skip("there is no /proc here, without which no disk can be taken off again")

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a disk in memory cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def moved(plan: Plan, places: Places, disk: Path) -> Plan:
    """The plan with the worker's folder, its old environment in it, on another disk."""
    shutil.copytree(places.root, disk / "worker", symlinks=True)
    return replace(plan, places=Places(disk / "worker"))


def test_disk_that_fills_up_while_installing(
    plan: Plan,
    index: Index,
    places: Places,
    python: Python,
    variables: Variables,
    listener: QgsProcessingFeedback,
    tiny_disk: Callable[..., Path],
) -> None:
    large = locked(make_wheel(index.folder, "torch", ballast=40_000_000), python.minor)
    # Two environments with pip and half of the large package.
    changed = moved(plan, places, tiny_disk("size=60m"))
    changed = replace(changed, wheels=(replace(large, size=1),))
    with pytest.raises(SetupError, match="The disk is full") as caught:
        install([changed], variables, listener, prove=believed)
    assert caught.value.kind == "disk_full"
    assert old_one_works(changed.places)


def test_disk_that_is_too_small_is_refused_before_any_work(
    plan: Plan, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terraweave.plugin.environment.lock._INSTALLED", {"any": 1_700_000_000})
    with pytest.raises(SetupError, match="has 5 MB free, and the set-up needs about 1.7 GB"):
        check_room(plan, free=5_000_000)
    assert index.asked == []


def test_disk_that_may_not_be_written(
    plan: Plan,
    places: Places,
    variables: Variables,
    listener: QgsProcessingFeedback,
    tiny_disk: Callable[..., Path],
) -> None:
    disk = tiny_disk("size=60m")
    changed = moved(plan, places, disk)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(SetupError, match="may not be written") as caught:
        install([changed], variables, listener, prove=believed)
    assert caught.value.kind == "permission"
    assert old_one_works(changed.places)


@pytest.mark.skipif(
    os.geteuid() == 0,
    reason="root may write everywhere; tests/e2e/test_setup.py tries it as an ordinary user",
)
def test_folder_that_may_not_be_written(
    plan: Plan, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    places.root.chmod(0o555)
    with pytest.raises(SetupError, match="may not be written"):
        install([plan], variables, listener, prove=believed)
    places.root.chmod(0o755)
    assert old_one_works(places)


def test_library_of_the_system_that_is_missing(
    plan: Plan, index: Index, places: Places, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    """A real worker in the new environment imports a torch that wants a library."""
    source = "import ctypes; ctypes.CDLL('libterraweave_absent.so.1')"
    broken = locked(make_wheel(index.folder, "torch", source=source), plan.minor)
    with pytest.raises(SetupError, match=r"libterraweave_absent\.so\.1") as caught:
        install([replace(plan, wheels=(broken,))], variables, listener, prove=prove_environment)
    assert caught.value.kind == "system_library"
    assert "Visual C++ Redistributable" in str(caught.value)
    assert old_one_works(places)


def test_program_that_another_one_is_writing(
    plan: Plan,
    places: Places,
    variables: Variables,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
) -> None:
    """As when an update or a virus scanner holds the Python."""
    busy = fake_python(tmp_path)
    shutil.copy("/bin/true", busy)
    with busy.open("ab"), pytest.raises(SetupError, match="in use by another program") as caught:
        start_with(busy, plan, variables, listener)
    assert caught.value.kind == "file_locked"
    assert old_one_works(places)


def test_python_that_vanishes_after_the_plan(
    plan: Plan,
    places: Places,
    variables: Variables,
    listener: QgsProcessingFeedback,
    tmp_path: Path,
) -> None:
    with pytest.raises(SetupError, match="is gone. Name another Python") as caught:
        start_with(tmp_path / "python3", plan, variables, listener)
    assert caught.value.kind == "unsuitable_python"
    assert old_one_works(places)


def start_with(
    python: Path, plan: Plan, variables: Variables, listener: QgsProcessingFeedback
) -> None:
    """Install with a `python` that makes the environment."""
    module = "terraweave.plugin.environment.install.make_with_venv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, lambda python_, folder: [str(python), str(folder)])
        install([plan], variables, listener, prove=believed)


def test_python_that_is_missing(variables: Variables) -> None:
    with pytest.raises(PythonError, match="There is no Python “/nowhere/python3”"):
        choose_python(("3.11",), variables, named="/nowhere/python3")


def test_unsuitable_pythons_are_passed_over_with_the_reason(
    tmp_path: Path, variables: Variables
) -> None:
    old = fake_python(tmp_path, version=(3, 8, 1))
    with pytest.raises(PythonError, match=r"it is Python 3\.8; the worker needs 3\.11 or 3\.12"):
        choose_python(("3.11", "3.12"), variables, named=str(old))


def test_unsuitable_python_is_refused_before_any_work(
    places: Places, variables: Variables, tmp_path: Path
) -> None:
    told = {"too old": {"version": [3, 9, 2]}, "32-bit": {"bits": 32}, "no venv": {"venv": False},
            "no pip": {"ensurepip": False}, "PyPy": {"implementation": "PyPy"}}  # fmt: skip
    before = sorted(places.root.rglob("*"))
    for name, answer in told.items():
        (tmp_path / name).mkdir()
        request = Request(python=str(fake_python(tmp_path / name, **answer)), installer="pip")
        with pytest.raises(PythonError, match=r"cannot be used: .*\. Install Python 3\.11"):
            make_plans(request, places.root, variables, platform="linux-x86_64")
    assert sorted(places.root.rglob("*")) == before
    assert old_one_works(places)


def fake_python(folder: Path, **told: object) -> Path:
    """A program that answers as a Python of another kind would."""
    answer = {
        "version": [3, 11, 2], "bits": 64, "implementation": "CPython", "machine": "x86_64",
        "venv": True, "ensurepip": True, "ssl": True,
    } | told  # fmt: skip
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\necho 'terraweave {json.dumps(answer)}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("system_library", 'OSError: [WinError 1114] Error loading "c10.dll" or one of its parts'),
        ("system_library", "ImportError: DLL load failed while importing _C: not found"),
        ("system_library", "version `GLIBC_2.28' not found (required by libtorch.so)"),
        ("file_locked", "[WinError 32] The process cannot access the file: 'c10.dll'"),
        ("file_locked", "OSError: [WinError 5] Access is denied: 'torch\\\\lib\\\\c10.dll'"),
        ("permission", "Could not install packages: [Errno 13] Permission denied: '/x'"),
        ("long_path", "[WinError 206] The filename or extension is too long"),
        ("unsuitable_python", "ERROR: Package 'numpy' requires a different Python: 3.8.1"),
        ("unsuitable_python", "returned non-zero exit status 1: No module named ensurepip"),
        ("unsuitable_python", "The virtual environment was not created successfully because"),
        ("tls", "Failed to fetch: x\n  Caused by: invalid peer certificate: UnknownIssuer"),
        ("name_resolution", "  Caused by: dns error: failed to lookup address information"),
        ("resolver", "  × No solution found when resolving dependencies:"),
        ("tampered", "  Caused by: Hash mismatch for `torch==2.13.0`"),
        ("damaged", "zipfile.BadZipFile: File is not a zip file"),
        ("disk_full", "error: failed to write: No space left on device (os error 28)"),
        ("out_of_memory", "MemoryError"),
    ],
)
def test_words_of_other_systems_and_of_uv_are_understood(kind: str, said: str) -> None:
    error = classified(f"Collecting torch\n{said}\nERROR: the end", 1, "installing")
    assert error.kind == kind
    assert FAILURES[kind].sentence in str(error)


def test_words_that_nobody_knows_are_shown() -> None:
    error = classified("Collecting torch\nERROR: the cat sat on it", 7, "installing")
    assert error.kind == "unknown"
    assert "(status 7) while installing, and said: ERROR: the cat sat on it" in str(error)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EROFS, "permission"),
        (errno.ETXTBSY, "file_locked"),
        (errno.ENAMETOOLONG, "long_path"),
    ],
)
def test_errors_of_our_own_files_are_classified(number: int, kind: str) -> None:
    error = classified_os_error(OSError(number, os.strerror(number)), "writing")
    assert isinstance(error, SetupError)
    assert error.kind == kind


def test_every_sentence_names_a_remedy_and_ends() -> None:
    for failure in FAILURES.values():
        assert failure.sentence.endswith(".")
        assert failure.sentence.count(".") >= 2, failure.kind
