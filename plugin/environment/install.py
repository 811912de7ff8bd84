"""Makes an environment as planned, has it prove itself, and only then switches to it."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from qgis.core import QgsProcessingFeedback
from qgis.PyQt.QtCore import QLockFile

from ...core import __version__
from ...core.errors import TerraweaveError
from .accelerators import add_card_build, add_mamba
from .failures import SetupError, classified_os_error
from .installers import (
    install_with_pip,
    install_with_uv,
    installer_variables,
    make_with_uv,
    make_with_venv,
    offline_variables,
    uv_variables,
)
from .lock import installed_bytes, requirements_text
from .places import Places, python_in, read_mark, write_mark
from .plan import Plan, check_room, megabytes
from .proof import prove_environment
from .stages import Stages, bytes_below
from .wheels import check_folder, fetch, fetch_for, most_complete

Prove = Callable[[Path, QgsProcessingFeedback], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Installed:
    """The environment that is in use now."""

    folder: Path
    build: str
    seconds: float
    size: int
    log: Path
    proof: Mapping[str, object]
    reused: bool = False

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return python_in(self.folder)


def install(
    plans: Sequence[Plan],
    variables: Mapping[str, str],
    feedback: QgsProcessingFeedback,
    *,
    secrets: tuple[str, ...] = (),
    prove: Prove = prove_environment,
) -> Installed:
    """Make the first of `plans` that can be had, prove it and switch to it.

    What was in use before stays in use, and whole, unless all went well. Blocks; meant for
    Processing's thread.

    Raises:
        SetupError: it could not be done; the message says why, what to do and where the log is.
        Cancelled: the user asked for the end.
    """
    places, folder = plans[0].places, plans[0].sources.folder
    if folder:
        # Of a folder that lacks one package, the build that it was made for shall be told.
        plans = [most_complete(Path(folder), plans)]
    with _alone(places), _logged(places, variables, feedback, secrets) as (stages, log):
        *others, last = plans
        for plan in others:
            try:
                return _attempt(plan, stages, log, prove)
            except SetupError as error:
                if error.kind != "resolver":
                    raise
                stages.warn(f"The build “{plan.build}” cannot be had here: {error}")
        return _attempt(last, stages, log, prove)


def fill_folder(
    plan: Plan,
    target: Path,
    variables: Mapping[str, str],
    feedback: QgsProcessingFeedback,
    secrets: tuple[str, ...] = (),
) -> Path:
    """Download the wheels of `plan` into the folder `target`; returns the log.

    Raises:
        SetupError: something could not be had; what came is kept.
        Cancelled: the user asked for the end.
    """
    places = plan.places
    with _alone(places), _logged(places, variables, feedback, secrets) as (stages, log):
        environment = places.temporary / "fetching"
        if plan.python is None:
            raise SetupError("unsuitable_python", "Fetching wheels needs a Python with pip.")
        with stages.stage("Preparing the download", 5):
            stages.run(make_with_venv(plan.python, environment), "making a folder for pip")
        with stages.stage(f"Downloading into {target}", 100):
            try:
                fetch_for(stages, plan, environment, target, plan.sources)
            except OSError as error:
                raise classified_os_error(error, f"writing to “{target}”") from error
        shutil.rmtree(places.temporary, ignore_errors=True)
    return log


def _attempt(plan: Plan, stages: Stages, log: Path, prove: Prove) -> Installed:
    started = time.monotonic()
    ready = _switch_back(plan, stages, prove)
    if ready is not None:
        folder, proof = ready
        return Installed(
            folder, plan.build, time.monotonic() - started, bytes_below([folder]), log, proof, True
        )
    check_room(plan)
    if plan.sources.folder:
        check_folder(Path(plan.sources.folder), plan)
    before = plan.places.current()
    folder = plan.places.unused(plan.key)
    try:
        proof = _make(plan, stages, folder, prove)
        write_mark(folder, _facts(plan, proof))
        plan.places.switch(folder)
    except OSError as error:
        raise classified_os_error(error, f"writing to “{folder}”") from error
    finally:
        if read_mark(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)
    plan.places.tidy({folder, before} if before else {folder})
    size = bytes_below([folder])
    stages.say(f"The worker environment is ready: {megabytes(size)} in {folder}.")
    return Installed(folder, plan.build, time.monotonic() - started, size, log, proof)


def _switch_back(
    plan: Plan, stages: Stages, prove: Prove
) -> tuple[Path, Mapping[str, object]] | None:
    """An environment of exactly this plan that is still there and still works, in use again."""
    folder = plan.places.proved(plan.key)
    if folder is None:
        return None
    stages.say("This environment was made before; it is asked to prove itself again.")
    try:
        proof = prove(python_in(folder), stages.feedback)
    except SetupError as error:
        stages.warn(f"It does not work any more, so it is made anew. {error}")
        return None
    if plan.mamba:
        add_mamba(plan, stages, folder, prove)
    plan.places.switch(folder)
    stages.feedback.setProgress(100)
    return folder, proof


def _make(plan: Plan, stages: Stages, folder: Path, prove: Prove) -> Mapping[str, object]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if plan.uv is not None:
        _make_with_uv(plan, plan.uv, stages, folder)
    else:
        _make_with_pip(plan, stages, folder)
    if plan.card_build:
        add_card_build(plan, stages, folder)
    with stages.stage("Proving the new environment", 100):
        proof = prove(python_in(folder), stages.feedback)
    if plan.mamba:
        add_mamba(plan, stages, folder, prove)
    return proof


def _make_with_pip(plan: Plan, stages: Stages, folder: Path) -> None:
    if plan.python is None:
        raise SetupError("unsuitable_python", "There is no Python to make an environment from.")
    with stages.stage("Making an empty environment", 4):
        stages.run(make_with_venv(plan.python, folder), "making an empty environment")
    target = Path(plan.sources.folder or plan.places.wheels(plan.key))
    if not plan.sources.folder:
        with stages.stage(f"Downloading about {megabytes(plan.to_download)}", 55):
            fetch(stages, plan, folder, target)
    with stages.stage(f"Installing about {megabytes(installed_bytes(plan.build))}", 88):
        stages.run(
            install_with_pip(folder, _requirements(plan), target),
            "installing",
            grows=(folder,),
            to=installed_bytes(plan.build),
            variables=offline_variables(stages.variables),
        )


def _make_with_uv(plan: Plan, uv: Path, stages: Stages, folder: Path) -> None:
    cache = plan.places.root / "uv"
    stages.variables = uv_variables(stages.variables, plan.places.root / "pythons")
    python = str(plan.python.path) if plan.python else plan.minor
    with stages.stage("Making an empty environment with uv", 6):
        stages.run(make_with_uv(uv, python, folder, cache), "making an empty environment")
    with stages.stage(f"Downloading and installing with uv, {megabytes(plan.room)} in all", 88):
        stages.run(
            install_with_uv(uv, folder, _requirements(plan), cache, plan.sources),
            "installing with uv",
            grows=(folder, cache),
            to=2 * installed_bytes(plan.build),
        )
    # uv's cache is what an interrupted set-up goes on from; now it is twice the disk.
    shutil.rmtree(cache, ignore_errors=True)


def _requirements(plan: Plan) -> Path:
    file = plan.places.temporary / "requirements.txt"
    file.write_text(requirements_text(plan.wheels), encoding="utf-8")
    return file


def _facts(plan: Plan, proof: Mapping[str, object]) -> dict[str, object]:
    return {
        "terraweave": __version__,
        "key": plan.key,
        "build": plan.build,
        "python": plan.minor,
        "installer": plan.tool,
        "proof": dict(proof),
    }


@contextmanager
def _alone(places: Places) -> Iterator[None]:
    """Keep a second set-up out; one that died does not count.

    Raises:
        SetupError: another one is running, or the folder may not be written.
    """
    try:
        places.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise classified_os_error(error, f"making “{places.root}”") from error
    lock = QLockFile(str(places.root / "setup.lock"))
    lock.setStaleLockTime(0)
    if not lock.tryLock(0):
        if lock.error() == QLockFile.LockError.LockFailedError:
            raise SetupError(
                "busy", "Another set-up is running for this profile; wait until it is done."
            )
        raise SetupError(
            "permission",
            f"The folder “{places.root}” may not be written. Check its rights, or use another "
            "QGIS profile.",
        )
    try:
        yield
    finally:
        lock.unlock()


@contextmanager
def _logged(
    places: Places,
    variables: Mapping[str, str],
    feedback: QgsProcessingFeedback,
    secrets: tuple[str, ...],
) -> Iterator[tuple[Stages, Path]]:
    """The stages with their log; an error that leaves them says where the log is."""
    path = places.log(time.strftime("%Y%m%d-%H%M%S"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(places.temporary, ignore_errors=True)
        places.temporary.mkdir(parents=True)
        with path.open("w", encoding="utf-8", errors="replace") as log:
            told = installer_variables(variables, places.temporary)
            try:
                yield Stages(feedback, log, told, secrets), path
            except TerraweaveError as error:
                with suppress(OSError):
                    log.write(f"\n{type(error).__name__}: {error}\n")
                if isinstance(error, SetupError):
                    raise SetupError(error.kind, f"{error} The whole log: {path}") from error
                raise
    except OSError as error:
        raise classified_os_error(error, f"writing to “{places.root}”") from error
