"""An index on 127.0.0.1, and an old environment that must survive whatever goes wrong."""

import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from terraweave.plugin.environment import install as install_module
from terraweave.plugin.environment.installers import Sources, clean_variables
from terraweave.plugin.environment.places import Places
from terraweave.plugin.environment.plan import Plan
from terraweave.plugin.environment.pythons import Python, choose_python

from .stand_ins import Handler, Index, locked, make_wheel

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


@pytest.fixture(scope="session")
def variables() -> dict[str, str]:
    """What installers see: no index, folder or certificate that this machine may have set."""
    kept = {
        key: value
        for key, value in clean_variables(os.environ).items()
        if not key.startswith(("PIP_", "UV_", "SSL_CERT")) and "proxy" not in key.lower()
    }
    return {**kept, "PIP_CONFIG_FILE": os.devnull}


@pytest.fixture(scope="session")
def python(variables: dict[str, str]) -> Python:
    """A Python of this machine that can make environments."""
    return choose_python(PYTHONS, variables)


@pytest.fixture(scope="session")
def empty_environment(
    python: Python, variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An environment with pip alone, made once; tests get copies of it."""
    folder = tmp_path_factory.mktemp("template") / "environment"
    subprocess.run([python.path, "-I", "-m", "venv", folder], env=variables, check=True)
    return folder


@pytest.fixture(autouse=True)
def copies_instead_of_venv(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each test the seconds that venv takes, unless it asks for `real_venv`."""
    if "empty_environment" in request.fixturenames and "real_venv" not in request.fixturenames:
        template = request.getfixturevalue("empty_environment")
        monkeypatch.setattr(
            install_module,
            "make_with_venv",
            lambda python, folder: ["cp", "-r", str(template), str(folder)],
        )


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[BaseHTTPRequestHandler], None]], ThreadingHTTPServer]]:
    """Starts servers on free ports of 127.0.0.1, and stops them at the end."""
    running: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[BaseHTTPRequestHandler], None]) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, answer))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def index(serve: Callable[..., ThreadingHTTPServer], tmp_path: Path) -> Index:
    """An index with two packages: torch, which is small here, and tinyweave."""
    found = Index(tmp_path / "index")
    make_wheel(found.folder, "torch", source="WORD = 'new'")
    make_wheel(found.folder, "tinyweave")
    found.port = serve(found.answer).server_port
    return found


@pytest.fixture
def places(empty_environment: Path, tmp_path: Path) -> Places:
    """The worker's folder, with an old environment in use; its path has spaces and letters."""
    found = Places(tmp_path / "Žofie Müller" / "worker")
    shutil.copytree(empty_environment, found.environments / "old", symlinks=True)
    (found.environments / "old" / "terraweave.json").write_text('{"key": "old"}')
    found.switch(found.environments / "old")
    return found


@pytest.fixture
def plan(index: Index, places: Places, python: Python, small_room: None) -> Plan:
    """A plan with the two packages of the index."""
    wheels = tuple(locked(wheel, python.minor) for wheel in sorted(index.folder.glob("*.whl")))
    return Plan(
        "linux-x86_64", "any", "A test.", python.minor, python, None, wheels,
        Sources(index=index.url), places,
    )  # fmt: skip


@pytest.fixture
def real_venv() -> None:
    """Let venv make the environments of this test."""


@pytest.fixture
def small_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny packages need little room; what a real environment takes is tested by itself."""
    monkeypatch.setattr(
        "terraweave.plugin.environment.lock._INSTALLED", {"any": 1, "cpu": 1, "cuda": 2}
    )
    monkeypatch.setattr("terraweave.plugin.environment.plan._SPARE", 0)
