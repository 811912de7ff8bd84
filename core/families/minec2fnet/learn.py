"""The trainings of MineC2FNet: coarse, coarse and then fine, and fine alone behind a teacher."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...card import Card, read_card
from ...device import choose_device
from ...errors import InputError
from ...job import Job
from ...progress import Progress
from ...scene.aside import check_writable
from ...segmentation.course import SegmentationCourse
from ...segmentation.division import divide
from ...segmentation.earlier import Earlier
from ...segmentation.judging import model_threshold
from ...segmentation.learn import Learnt, learn as learn_segmentation
from ...segmentation.leaving_out import Kept, kept_ground, left_out
from ...segmentation.segmenter import TrainedSegmenter
from ...segmentation.sites import IGNORED, Sites, read_sites
from ...segmentation.tables import Told
from ...segmentation.validation import HeldOut
from ...segmentation.view import Segmenter
from ...settings import Value, resolve
from ...training.phases import Measured, check_outputs
from . import MINEC2FNET
from .comparison import Comparison, compared, forgotten, remembered
from .design import FootprintDesign, earlier_model, expected_card, network_of, statistics_of
from .settings import REFINE_SETTINGS
from .statistics import warn_of_other_order, warn_of_other_units
from .view import ROLE, ImageView

_COARSE_SHARE = 0.6
_CHECKING_SHARE = 0.02
Course = SegmentationCourse[Any]


def learn(job: Job, progress: Progress) -> dict[str, object]:
    """Train on coarse labels and, where the job has fine ones, go on with those.

    Raises:
        InputError: something in the job does not fit, said before the work begins.
        Cancelled: at the user's wish; the best epoch so far is kept.
    """
    settings = resolve(MINEC2FNET.train_settings, job.settings)
    check_outputs(job)
    start = earlier_model(job.model, read_card(job.model)) if job.model else None
    fine = of_stage(job, "FINE")
    if fine is None:
        design = FootprintDesign(settings, start)
        card, told = start.card if start else None, _units_told(start, progress)
        return learn_segmentation(job, design, progress, start=card, revise=told).values
    return _both(job, fine, settings, start, progress)


def refine(job: Job, progress: Progress) -> dict[str, object]:
    """Go on from the job's model, the teacher, with its labels; OLD_ scenes are only looked at.

    Raises:
        InputError: something in the job does not fit, said before the work begins.
        Cancelled: at the user's wish; the best epoch so far is kept.
    """
    given = resolve(REFINE_SETTINGS, job.settings)
    check_outputs(job)
    teacher = teacher_of(job)
    settings = refining_settings(given)
    design = FootprintDesign(settings, teacher, fine=True)
    as_before = design_of_old(settings, teacher)
    old = of_stage(job, "OLD")

    def ready(sites: Sites) -> Sites:
        _units_told(teacher, progress)(sites)
        if old is not None:
            with progress.stage("Reading earlier images", _CHECKING_SHARE, preparing=True):
                all_ground(old, teacher, as_before, progress)
        return sites

    def further(course: Course, measured: Measured) -> Told:
        before = applied(teacher, settings)
        found = compared(course, teacher, before)
        told = found.told() if found else Told()
        if old is None:
            return told.also(*remembered(teacher))
        after = course.segmenter(measured.outcome.state, 0)
        with progress.stage("Reading earlier images", 0.005, preparing=True):
            ground = all_ground(old, teacher, as_before, _unheard(progress))
        with progress.stage("Judging the teacher on earlier images", 0.02, preparing=True):
            as_teacher = ground.whole(before, progress)
        with progress.stage("Judging the refined model on earlier images", 0.02, preparing=True):
            as_refined = ground.whole(after, progress)
        lost = forgotten(
            as_teacher,
            as_refined,
            _thresholds(teacher, found, course),
            course.sites.mapclass,
            course.sites.gsd,
            "all labelled ground of the earlier scenes",
        )
        return told.also(*lost.tables, sentences=lost.sentences)

    return learn_segmentation(
        without_old(job),
        design,
        progress,
        start=teacher.card,
        further=further,
        revise=ready,
        declared=REFINE_SETTINGS,
    ).values


def _both(
    job: Job,
    fine: Job,
    settings: Mapping[str, Value],
    start: Earlier | None,
    progress: Progress,
) -> dict[str, object]:
    """Both stages in one run; the teacher is kept beside the model.

    The teacher is not refitted on its held-out ground, so that this can tell what the student
    forgets. It never learns from coarse labels on ground by which the student is judged.
    """
    outputs = teacher_outputs(job)
    path = Path(outputs["MODEL"])
    for one in outputs.values():
        check_writable(one)
    inputs = {ROLE: job.inputs.get(ROLE, ())}
    coarse = replace(job, inputs=inputs, outputs=outputs, features={})
    once = {**settings, "refit": False, "cross_validation": 0}
    design = FootprintDesign(once, start)

    def revise(sites: Sites) -> Sites:
        _units_told(start, progress)(sites)
        card = expected_card(design, sites)
        with progress.stage("Reading precise labels", _CHECKING_SHARE, preparing=True):
            kept = _judging(fine, settings, card, _unheard(progress))
        return left_out(sites, kept, design.effort.gap, progress)

    with progress.stage("Learning from coarse outlines", _COARSE_SHARE):
        first = learn_segmentation(
            coarse, design, progress, start=start.card if start else None, revise=revise
        )
    kept = " and its report as ".join(Path(one).name for one in outputs.values())
    progress.log(f"The teacher is kept as {kept}.")
    teacher = Earlier(first.card, first.state)
    with progress.stage("Learning from fine outlines", 1.0):
        student = learn_segmentation(
            replace(fine, model=str(path)),
            FootprintDesign(settings, teacher, fine=True),
            progress,
            start=first.card,
            further=lambda course, measured: _stages(first, teacher, settings, course, measured),
            revise=_units_told(teacher, progress),
            stage="FINE",
        )
    return student.values


def design_of_old(settings: Mapping[str, Value], teacher: Earlier) -> FootprintDesign:
    """How earlier scenes are read: as the teacher knew them.

    A scale in the settings is that of the new images.
    """
    return FootprintDesign({**settings, "reflectance_scale": 0.0}, teacher, fine=True)


def _judging(
    fine: Job, settings: Mapping[str, Value], card: Card, progress: Progress
) -> tuple[Kept, ...]:
    """The ground by which the second stage will be judged.

    Raises:
        InputError: precise images or labels do not fit the first stage's, or each other.
    """
    teacher = Earlier(card, {})
    design = FootprintDesign(settings, teacher, fine=True)
    sites = read_sites(fine, MINEC2FNET, design.view, design.working_gsd, progress, start=card)
    return kept_ground(sites, divide(sites, settings, design.effort.gap))


def _units_told(earlier: Earlier | None, progress: Progress) -> Callable[[Sites], Sites]:
    """Looks at scenes, and warns where they look to be written unlike the earlier model's."""

    def told(sites: Sites) -> Sites:
        known = statistics_of(earlier) if earlier else None
        warn_of_other_units(sites.sites, known, progress)
        if earlier is not None:
            named = [one[ROLE].named for one in sites.facts]
            warn_of_other_order(sites.sites, named, earlier.card.input(ROLE), progress)
        return sites

    return told


def _unheard(progress: Progress) -> Progress:
    """A progress that says nothing, since the same is done again later, but can be cancelled."""

    def cancelled() -> bool:
        progress.checkpoint()
        return False

    return Progress(cancelled=cancelled)


def _stages(
    first: Learnt,
    teacher: Earlier,
    settings: Mapping[str, Value],
    course: Course,
    measured: Measured,
) -> Told:
    """What the student gained on fine labels, and forgot on what the teacher held out."""
    found = compared(course, teacher, applied(teacher, settings))
    told = found.told() if found else Told()
    if report := first.report:
        line = f"How the teacher learnt from coarse outlines is told in {Path(report).name}."
        told = replace(told, sentences=(*told.sentences, line))
    if not first.course.judged:
        return told
    after = first.course.judge(0, course.segmenter(measured.outcome.state, 0))
    lost = forgotten(
        first.course.judged,
        after,
        _thresholds(teacher, found, course),
        course.sites.mapclass,
        course.sites.gsd,
        "the coarse ground that the teacher held out",
    )
    return told.also(*lost.tables, sentences=lost.sentences)


def _thresholds(
    teacher: Earlier, found: Comparison | None, course: Course
) -> tuple[float, float | None, float]:
    """The teacher's own threshold, the one chosen for it on precise labels, the student's."""
    return model_threshold(teacher.card), found.chosen if found else None, course.threshold


def teacher_of(job: Job) -> Earlier:
    """The model that the job refines.

    Raises:
        InputError: none was given, or it is no model of this family.
    """
    if not job.model:
        raise InputError("No teacher was given; choose the model file to refine (TEACHER).")
    return earlier_model(job.model, read_card(job.model))


def without_old(job: Job) -> Job:
    """The job with the scenes alone that it learns from."""
    return replace(job, inputs={ROLE: job.inputs.get(ROLE, ())}, features={})


def refining_settings(given: Mapping[str, Value]) -> dict[str, Value]:
    """All settings of a second stage by itself, from those that it is `given`."""
    own = resolve(MINEC2FNET.train_settings, {})
    return {**own, **given, "fine_epochs": given["epochs"]}


def all_ground(old: Job, teacher: Earlier, design: FootprintDesign, progress: Progress) -> HeldOut:
    """All labelled ground of earlier scenes."""
    sites = read_sites(
        old, MINEC2FNET, design.view, design.working_gsd, progress, start=teacher.card, stage="OLD"
    ).sites
    return HeldOut(sites, [one.target != IGNORED for one in sites], teacher.card.window)


def applied(teacher: Earlier, settings: Mapping[str, Value]) -> Segmenter:
    """The teacher where the settings say."""
    device = choose_device(str(settings["device"])).torch
    view = ImageView.of_card(teacher.card, settings)
    return TrainedSegmenter(view, network_of(teacher).to(device), statistics_of(teacher))


def of_stage(job: Job, prefix: str) -> Job | None:
    """The job with the scenes whose names begin with `prefix`, or None where it has none.

    Raises:
        InputError: images or labels are missing.
    """
    image, name = f"{prefix}_{ROLE}", f"{prefix}_LABELS"
    images, labels = job.inputs.get(image, ()), job.features.get(name)
    area = job.features.get(f"{prefix}_AREA")
    if labels is None and not images:
        if area is not None:
            raise InputError(
                f"{image} and {name} are missing, although {prefix}_AREA is given; give all "
                "three, or none."
            )
        return None
    if labels is None or not images:
        missing, there = (name, image) if images else (image, name)
        raise InputError(f"{missing} is missing, although {there} is given; give both, or none.")
    return replace(job, inputs={ROLE: images}, labels=labels, area=area, features={}, model="")


def teacher_outputs(job: Job) -> dict[str, str]:
    """Where the teacher of two stages goes, and its report: beside the student's."""
    named = ((key, Path(job.output(key))) for key in ("MODEL", "REPORT") if job.output(key))
    return {key: str(one.with_name(f"{one.stem}_teacher{one.suffix}")) for key, one in named}
