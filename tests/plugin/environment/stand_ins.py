"""Stand-ins for what an installation needs: tiny wheels, an index that can misbehave, a proof."""

import hashlib
import os
import subprocess
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from terraweave.plugin.environment.lock import Wheel
from terraweave.plugin.environment.places import Places, python_in


def make_wheel(
    folder: Path, name: str, version: str = "1.0", source: str = "", ballast: int = 0
) -> Path:
    """A wheel of one module with `source`, and `ballast` bytes that do not compress."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": source.encode(),
        f"{name}/ballast.bin": os.urandom(ballast),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, content in (*files.items(), (f"{info}/RECORD", record.encode())):
            archive.writestr(inner, content)
    return path


def locked(path: Path, minor: str) -> Wheel:
    """The line of the lock for a wheel that lies at `path`."""
    name, version = path.name.split("-")[:2]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(name, version, (minor,), "any", path.stat().st_size, path.name, digest)


@dataclass
class Index:
    """A package index on this machine; `misbehave` answers a request instead of it."""

    folder: Path
    port: int = 0
    scheme: str = "http"
    asked: list[str] = field(default_factory=list)
    misbehave: Callable[[BaseHTTPRequestHandler], bool] = lambda handler: False

    @property
    def url(self) -> str:
        """The address to give to pip."""
        return f"{self.scheme}://127.0.0.1:{self.port}/simple"

    def fetched(self, package: str) -> int:
        """How often a file of the package was asked for."""
        return sum(1 for path in self.asked if path.startswith(f"/files/{package}-"))

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Serve a list of files or a file."""
        self.asked.append(handler.path)
        if self.misbehave(handler):
            return
        kind, name = handler.path.strip("/").split("/")[:2]
        if kind == "simple":
            links = [
                f'<a href="/files/{wheel.name}">{wheel.name}</a>'
                for wheel in self.folder.glob(f"{name}-*.whl")
            ]
            reply(handler, f"<!DOCTYPE html><html><body>{' '.join(links)}</body></html>".encode())
        else:
            reply(handler, (self.folder / name).read_bytes(), "application/octet-stream")


def reply(
    handler: BaseHTTPRequestHandler, body: bytes, kind: str = "text/html", status: int = 200
) -> None:
    """Send one answer."""
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class Handler(BaseHTTPRequestHandler):
    """Hands every request to the function that the server was made with."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None], *given: object) -> None:
        self.answer = answer
        super().__init__(*given)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.answer(self)

    do_CONNECT = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def believed(python: Path, feedback: object) -> Mapping[str, object]:
    """A proof that asks only whether torch is there: the packages of these tests cannot compute."""
    said = run_in(python, "import torch; print(torch.WORD)")
    return {"word": said}


def run_in(python: Path, program: str) -> str:
    """What a program prints in an environment."""
    command: Sequence[str | Path] = [python, "-I", "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def old_one_works(places: Places) -> bool:
    """Whether the environment that was in use is still in use, and still runs."""
    current = places.current()
    return (
        current is not None
        and current.name == "old"
        and run_in(python_in(current), "import pip; print(1 + 1)") == "2"
        and not any(one.name != "old" for one in places.environments.iterdir())
    )
