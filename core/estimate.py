"""What a run will take before it starts: windows, time, memory and disk, tried and not promised."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from .capacity import free_disk, free_memory
from .errors import InputError
from .job import Job
from .progress import Progress

Range = tuple[float, float]
# What a probe of half a second cannot know: other programs, a processor that gets warm, disks.
_FASTER, _SLOWER = 0.8, 1.5
# Starting the worker and importing torch, from a warm and from a cold disk.
_START: Range = (3.0, 8.0)
_PROBE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take.

    `windows` are the fewest and the most windows that the network will look at. `work` are the
    seconds of all its parts as they were tried, fewest and most, without start and surprises;
    None where nobody can tell. `memory` and `disk` are bytes, both upper ends; the disk's are
    those of the results and of what lies beside them while the run goes on. `device` is torch's
    name of its kind, and `reason` the sentence about it. `threads` count for the processor alone.
    """

    windows: tuple[int, int]
    work: Range | None
    memory: int
    disk: int
    device: str
    reason: str
    threads: int = 0

    @property
    def seconds(self) -> Range | None:
        """How long the run takes, from … to …."""
        if self.work is None:
            return None
        low, high = self.work
        return _START[0] + _FASTER * low, _START[1] + _SLOWER * high

    def then(self, other: "Estimate") -> "Estimate":
        """Both runs one after the other on the same device, what both write kept."""
        work = None
        if self.work is not None and other.work is not None:
            work = (self.work[0] + other.work[0], self.work[1] + other.work[1])
        return replace(
            self,
            windows=(self.windows[0] + other.windows[0], self.windows[1] + other.windows[1]),
            work=work,
            memory=max(self.memory, other.memory),
            disk=self.disk + other.disk,
        )

    def to_json(self, outputs: Iterable[str]) -> dict[str, object]:
        """The values to report; free disk is that of the fullest disk among the `outputs`."""
        seconds = self.seconds or (None, None)
        room = [free for path in outputs if (free := free_disk(path)) is not None]
        return {
            "WINDOWS_LOW": self.windows[0],
            "WINDOWS_HIGH": self.windows[1],
            "SECONDS_LOW": seconds[0] if seconds[0] is None else round(seconds[0], 1),
            "SECONDS_HIGH": seconds[1] if seconds[1] is None else round(seconds[1], 1),
            "MEMORY": self.memory,
            "MEMORY_FREE": free_memory(),
            "DISK": self.disk,
            "DISK_FREE": min(room, default=None),
            "DEVICE": self.device,
            "DEVICE_REASON": self.reason,
            "THREADS": self.threads,
        }


@runtime_checkable
class Estimating(Protocol):
    """A recipe that can tell what its runs will take; not every family's can."""

    def estimate(self, job: Job, progress: Progress) -> Estimate:
        """What the job will take; with labels it is a training, else a prediction."""


def estimate(recipe: object, job: Job, progress: Progress) -> Mapping[str, object]:
    """The values that the task `estimate` reports for a job of the family with `recipe`.

    Raises:
        InputError: the family cannot tell, or the job would be refused, with the same sentence.
    """
    if not isinstance(recipe, Estimating):
        raise InputError("How long this takes cannot be told beforehand for this kind of model.")
    return recipe.estimate(job, progress).to_json(path for path in job.outputs.values() if path)


def seconds_each(
    work: Callable[[int], None],
    *,
    first: int = 128,
    most: int = 1024,
    seconds: float = _PROBE_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Seconds that `work` needs for one of the items whose number it is called with.

    It is called once to warm up, then with ever more items up to `most`, as a run would call it,
    until a call takes about `seconds`; that one counts.
    """
    work(first)
    count = first
    while True:
        began = clock()
        work(count)
        took = clock() - began
        if took >= seconds / 2 or count == most:
            return took / count
        count = min(most, 4 * count)
