"""A whole training of a segmenting family: from the job's layers to a model file and a report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..card import Card
from ..device import choose_device
from ..job import Job
from ..progress import Progress
from ..report.training import write_training_report
from ..settings import Setting
from ..training.loop import State
from ..training.phases import Measured, Phases, check_outputs, mean_scores
from .course import SegmentationCourse
from .design import Design
from .division import divide
from .sites import Sites, read_sites
from .tables import Told


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a training came to."""

    card: Card
    state: State
    measured: Measured
    course: SegmentationCourse[Any]
    further: Mapping[str, object] = field(default_factory=dict)
    report: str = ""

    @property
    def values(self) -> dict[str, object]:
        """The scores to report."""
        found = mean_scores(self.measured)
        rows = [one.per_class[0] for one in self.measured.every if one.per_class[0].support]
        for name, key in _CLASS_SCORES.items():
            values = [getattr(one, key) for one in rows]
            known = [one for one in values if one is not None]
            found[name] = sum(known) / len(known) if known else None
        return {**found, "THRESHOLD": self.card.training.get("threshold"), **self.further}


_CLASS_SCORES = {"IOU": "iou", "F1": "f1", "PRECISION": "users", "RECALL": "producers"}


Further = Callable[[SegmentationCourse[Any], Measured], Told]
Revise = Callable[[Sites], Sites]


def as_they_are(sites: Sites) -> Sites:
    """The same scenes."""
    return sites


def nothing_more(course: SegmentationCourse[Any], measured: Measured) -> Told:
    """Nothing besides the scores."""
    return Told()


def learn(
    job: Job,
    design: Design[Any],
    progress: Progress,
    *,
    start: Card | None = None,
    further: Further = nothing_more,
    revise: Revise = as_they_are,
    declared: Sequence[Setting] = (),
    stage: str = "",
) -> Learnt:
    """Train as the job says, and write model and report.

    `start` is the card of a model to go on from, which is the job's; `further` has more to say of
    what was learnt. `revise` sees the scenes before they are divided, and may refuse or change
    them. `declared` are the settings of this stage, where they are not the family's; `stage` is
    what the names of its labels begin with.

    Raises:
        InputError: something in the job does not fit, said before the work begins.
        Cancelled: at the user's wish; the best epoch so far is kept.
    """
    check_outputs(job)
    device = choose_device(str(design.settings["device"]))
    progress.log(device.reason)
    with progress.stage("Reading images and labels", 0.05, preparing=True):
        sites = read_sites(
            job, design.family, design.view, design.working_gsd, progress, start=start, stage=stage
        )
        sites = revise(sites)
    divisions = divide(sites, design.settings, design.effort.gap)
    for line in dict.fromkeys(one.split.summary for one in divisions):
        progress.log(line)
    for warning in dict.fromkeys(text for one in divisions for text in one.split.warnings):
        progress.warn(warning)
    course = SegmentationCourse(job, design, sites, divisions, device, progress, start, declared)
    phases = Phases(course, job.output("MODEL"), progress)
    measured = phases.measure()
    final = phases.refit(measured)
    card = phases.write(measured, final)
    costs = course.cleanup()
    told = further(course, measured)
    for line in told.sentences:
        progress.log(line)
    cleaning = costs.warnings if costs else ()
    for warning in filter(None, (course.unlike(), *told.warnings, *cleaning)):
        progress.warn(warning)
    if job.output("REPORT"):
        report = course.report(card, measured, told, costs)
        write_training_report(job.output("REPORT"), report)
    return Learnt(card, final, measured, course, told.values, job.output("REPORT"))
