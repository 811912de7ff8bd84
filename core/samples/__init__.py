"""Small synthetic scenes with truth, one for each model family."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from ..errors import InputError
from ..job import Job
from ..progress import Progress
from . import landcover, mining, terrain

Writer = Callable[[Path, int, int], dict[str, Path]]
Sample = Callable[[Job, Progress], dict[str, object]]


def _sample(write: Writer, purpose: str) -> Sample:
    """The task that writes a scene of the job's `size` and `seed` into its output FOLDER."""

    def run(job: Job, progress: Progress) -> dict[str, object]:
        folder = job.output("FOLDER")
        if not folder:
            raise InputError("The sample scene needs a folder to be written to (FOLDER).")
        size, seed = (_whole(job, key, default) for key, default in (("size", 256), ("seed", 7)))
        with progress.stage("Making the sample scene", 1.0):
            paths = write(Path(folder), size, seed)
        progress.log(f"{purpose}, {size} × {size} pixels, is in {folder}.")
        return {key: str(path) for key, path in paths.items()}

    return run


def _whole(job: Job, key: str, default: int) -> int:
    value = job.settings.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(f"The {key} of a sample scene is {value!r}; give a whole number from 0.")
    return value


def _write_landcover(folder: Path, size: int, seed: int) -> dict[str, Path]:
    return landcover.write(folder, size, seed=seed)


SAMPLES: Mapping[str, Sample] = MappingProxyType(
    {
        "das2f": _sample(_write_landcover, "A river landscape with training polygons and truth"),
        "hpclnet": _sample(terrain.write, "Hills with landslides, terrain and truth"),
        "minec2fnet": _sample(mining.write, "Mines with coarse and fine outlines and truth"),
    }
)
