"""What can make a working environment faster, and may fail without harm."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from qgis.core import QgsProcessingFeedback

from .failures import SetupError
from .installers import Sources, add_with_pip
from .lock import Wheel
from .places import python_in
from .plan import Plan
from .stages import Stages

Prove = Callable[[Path, QgsProcessingFeedback], Mapping[str, object]]

# Source packages: they are compiled here, against the torch that is installed.
MAMBA = ("mamba-ssm==2.3.2.post1", "causal-conv1d==1.7.0")
# With these set the packages build their CUDA kernels or fail; a build without them is no use.
_FORCED = {"MAMBA_FORCE_BUILD": "TRUE", "CAUSAL_CONV1D_FORCE_BUILD": "TRUE"}
# The build of torch for NVIDIA cards on Windows, which the public index does not have.
CARD_TAG = "cu130"


def mamba_obstacle(plan: Plan, variables: Mapping[str, str]) -> str:
    """Why mamba-ssm cannot work in this environment, as a sentence; empty where it may."""
    if not plan.platform.startswith("linux") or plan.build != "cuda":
        return "mamba-ssm needs Linux and the build of torch for NVIDIA cards."
    if shutil.which("nvcc", path=variables.get("PATH", "")) is None:
        return (
            "mamba-ssm has to be compiled, and the compiler nvcc of the CUDA toolkit is not there."
        )
    if plan.uv is not None:
        return "mamba-ssm is added with pip; choose it as the installer (INSTALLER)."
    return ""


def add_mamba(plan: Plan, stages: Stages, folder: Path, prove: Prove) -> bool:
    """Try to add mamba-ssm to the environment in `folder`, which works without it too.

    Whatever happens, the environment works afterwards: it is asked for its proof again, and
    mamba-ssm is taken out where it spoils that. Returns whether it is there.

    Raises:
        Cancelled: the user asked for the end.
    """
    obstacle = mamba_obstacle(plan, stages.variables)
    if obstacle:
        stages.say(f"{obstacle} The scan of Terraweave itself is used.")
        return False
    pins = plan.places.temporary / "pins.txt"
    pins.write_text(pins_text(plan.wheels), encoding="utf-8")
    before = stages.variables
    stages.variables = before | _FORCED
    try:
        for requirement in ("wheel", "ninja", "einops", *reversed(MAMBA)):
            command = add_with_pip(
                folder, requirement, plan.sources, "--no-build-isolation", "--constraint", str(pins)
            )
            stages.run(command, f"building {requirement}")
        prove(python_in(folder), stages.feedback)
    except SetupError as error:
        _remove(stages, folder)
        stages.warn(f"mamba-ssm could not be added; the scan of Terraweave itself is used. {error}")
        return False
    finally:
        stages.variables = before
    stages.say("mamba-ssm is there; it is used where it passes its check against plain torch.")
    return True


def _remove(stages: Stages, folder: Path) -> None:
    names = [requirement.split("==")[0] for requirement in MAMBA]
    command = [str(python_in(folder)), "-I", "-m", "pip", "uninstall", "--yes", *names]
    try:
        stages.run(command, "taking mamba-ssm out again")
    except SetupError as error:
        stages.warn(str(error))


def pins_text(wheels: tuple[Wheel, ...]) -> str:
    """The versions of the lock, as constraints that nothing added later may break."""
    return "".join(sorted({f"{wheel.package}=={wheel.version}\n" for wheel in wheels}))


def add_card_build(plan: Plan, stages: Stages, folder: Path) -> None:
    """On Windows, replace torch by its build for NVIDIA cards from the user's own index.

    The lock cannot vouch for it: the index that the user named does.

    Raises:
        SetupError: the index does not have it.
        Cancelled: the user asked for the end.
    """
    version = next(wheel.version for wheel in plan.wheels if wheel.package == "torch")
    wanted = f"torch=={version}+{CARD_TAG}"
    stages.warn(
        f"{wanted} comes from the index that you named (EXTRA_INDEX), which vouches for it: the "
        "lock does not know its hash."
    )
    index = Sources(index=plan.sources.extra_index)
    command = add_with_pip(folder, wanted, index, "--no-deps", "--force-reinstall")
    stages.run(command, f"installing {wanted}", grows=(folder,), to=0)
