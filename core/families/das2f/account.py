"""The report of a DAS²F training."""

from ...card import Card
from ...device import Device
from ...job import Job
from ...report.training import TrainingReport, write_training_report
from ...settings import Value
from ...training.phases import Measured
from . import DAS2F
from .material import Material


def write_report(
    job: Job,
    card: Card,
    material: Material,
    measured: Measured,
    settings: dict[str, Value],
    device: Device,
) -> None:
    """Write the HTML report that the job asks for, and its numbers beside it."""
    seconds = card.training.get("seconds")
    report = TrainingReport(
        family=DAS2F.title,
        card=card,
        epochs=measured.outcome.epochs,
        best_epoch=measured.outcome.best_epoch,
        scores=measured.scores,
        split=material.splits[0],
        maps=material.maps,
        folds=measured.folds,
        settings=settings,
        declared=DAS2F.train_settings,
        device=device.reason,
        seconds=seconds if isinstance(seconds, float) else None,
    )
    write_training_report(job.output("REPORT"), report)
