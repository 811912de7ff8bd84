"""The report of a DAS²F training."""

from collections.abc import Sequence

from ...accuracy.scores import Scores
from ...card import Card
from ...device import Device
from ...job import Job
from ...report.training import SplitMap, TrainingReport, split_maps, write_training_report
from ...scene.quicklook import quicklook
from ...settings import Value
from ...training.loop import Outcome
from ...training.split import Split
from . import DAS2F
from .patches import Pixels
from .training_data import LabelledScenes


def maps_of(data: LabelledScenes, pixels: Pixels, split: Split) -> tuple[SplitMap, ...]:
    """Where the labelled pixels of each scene went, over a picture of the scene."""
    return split_maps(
        split,
        pixels.row,
        pixels.column,
        pixels.scene,
        titles=[scene.facts("MS").title for scene in data.scenes],
        shapes=[(scene.grid.shape.rows, scene.grid.shape.columns) for scene in data.scenes],
        pictures=[
            quicklook(inputs["MS"], scene.facts("MS"))
            for inputs, scene in zip(data.inputs, data.scenes, strict=True)
        ],
    )


def write_report(
    job: Job,
    card: Card,
    split: Split,
    maps: Sequence[SplitMap],
    outcome: Outcome,
    scores: Scores | None,
    settings: dict[str, Value],
    device: Device,
) -> None:
    """Write the HTML report that the job asks for, and its numbers beside it."""
    seconds = card.training.get("seconds")
    report = TrainingReport(
        family=DAS2F.title,
        card=card,
        epochs=outcome.epochs,
        best_epoch=outcome.best_epoch,
        scores=scores,
        split=split,
        maps=maps,
        settings=settings,
        declared=DAS2F.train_settings,
        device=device.reason,
        seconds=seconds if isinstance(seconds, float) else None,
    )
    write_training_report(job.output("REPORT"), report)
