"""What every family's training and map begin with, whatever the family."""

from dataclasses import replace
from pathlib import Path

import pytest
from terraweave.core.card import Band, Card, CardInput
from terraweave.core.classes import MapClass
from terraweave.core.errors import InputError
from terraweave.core.families import FAMILIES
from terraweave.core.job import Job, Source
from terraweave.core.model_file import write_model
from terraweave.core.progress import Event, Progress
from terraweave.core.training.claim import claimed
from terraweave.core.worker.run import run_job

CARD = Card(
    family="das2f",
    name="fields",
    inputs=(CardInput("MS", (Band("red"),), (0.0,), (1.0,), 1.0),),
    classes=(MapClass(1, "Field", "#00ff00"),),
    window=16,
    overlap=8,
    architecture={},
)


def told(job: Job) -> list[str]:
    """The warnings that a job begins with, before it is refused for want of images."""
    events: list[Event] = []
    with pytest.raises(InputError):
        run_job(job, Progress(events.append))
    return [str(one["text"]) for one in events if one.get("level") == "warning"]


@pytest.mark.parametrize("key", FAMILIES)
def test_a_model_file_has_one_training_at_a_time_in_every_family(key: str, tmp_path: Path) -> None:
    job = Job("train", key, outputs={"MODEL": str(tmp_path / "model.safetensors")})
    tasks = ["train", *(["refine"] if FAMILIES[key].refinement else [])]
    for task in tasks:
        with (
            claimed(job.output("MODEL")),
            pytest.raises(InputError, match=r"Another training writes to model\.safetensors"),
        ):
            run_job(replace(job, task=task), Progress())
        with pytest.raises(InputError) as refusal:
            run_job(replace(job, task=task), Progress())
        assert "Another training" not in str(refusal.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("training", "sentence"),
    [
        ({"epochs": 3, "best_epoch": 2, "trained_on_all_labels": True}, ""),
        (
            {"stopped_after_epoch": 12, "planned_epochs": 40, "best_epoch": 7},
            "stopped after epoch 12 of 40. The file holds the weights of the best epoch until then "
            "(7), without scores.",
        ),
        ({"stopped_after_epoch": 4}, "stopped after epoch 4. The file holds"),
        (
            {"epochs": 9, "refit_stopped_after_epoch": 3, "planned_epochs": 9},
            "on all labels was stopped after epoch 3 of 9. The file holds the weights that were",
        ),
    ],
)
def test_models_of_stopped_trainings_are_told_when_used(
    training: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    model = tmp_path / "fields.safetensors"
    write_model(model, replace(CARD, training=training), {})
    outputs = {"CLASSES": str(tmp_path / "map.tif")}
    mapping = Job("predict", "das2f", model=str(model), outputs=outputs)
    further = Job(
        "train", "das2f", model=str(model), inputs={"MS": (Source("nowhere.tif"),)},
        outputs={"MODEL": str(tmp_path / "next.safetensors")},
    )  # fmt: skip
    for job in (mapping, further):
        texts = told(job)
        assert len(texts) == bool(sentence)
        assert all(sentence in text for text in texts)
