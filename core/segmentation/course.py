"""What the phases of a segmenting family's training share: divisions, networks, scores, card."""

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from ..accuracy.scores import Scores
from ..card import Card
from ..device import Device
from ..job import Job
from ..nn.decay import ParameterGroup
from ..progress import Progress
from ..provenance import digest_of, inputs_of, software
from ..report.training import Table, TrainingReport
from ..settings import Setting
from ..training.checkpoint import Checkpoint
from ..training.loop import Evaluation, Outcome, State, Trainee, train
from ..training.phases import Measured
from .costs import CleanupCosts, cleanup_costs
from .design import Design
from .division import Division, division_maps
from .earlier import EARLIER, earlier_scores, named
from .judging import model_threshold
from .sampler import Ground, Sampler
from .sites import Sites
from .tables import Told, boundary_table, scenes_far_below, site_table
from .validation import HeldOut, Judged, pooled
from .view import Segmenter

S = TypeVar("S")


class SegmentationCourse(Generic[S]):
    """What the phases of a training share; see `training.phases.Course`."""

    def __init__(
        self,
        job: Job,
        design: Design[S],
        sites: Sites,
        divisions: tuple[Division, ...],
        device: Device,
        progress: Progress,
        start: Card | None = None,
        declared: Sequence[Setting] = (),
    ) -> None:
        """Everything is read and divided; statistics are taken here. See `learn`."""
        self.sites = sites
        self._design = design
        self._start = start
        self._declared = tuple(declared) or design.family.train_settings
        self._divisions = divisions
        self._device = device
        self._progress = progress
        self._statistics = [self._statistics_of(one) for one in divisions]
        self._final = self._statistics_of(None if self._folds else divisions[0])
        self._judged: dict[int, tuple[Judged, ...]] = {}
        self.card = self._card(job, start)
        self.fingerprint = self._digest()

    @property
    def _folds(self) -> bool:
        return len(self._divisions) > 1

    @property
    def device(self) -> str:
        """The kind of device."""
        return self._device.torch.type

    @property
    def divisions(self) -> int:
        """One, or the folds of a cross-validation."""
        return len(self._divisions)

    @property
    def refits(self) -> bool:
        """Whether the last training is one on all labels; after a cross-validation it must be."""
        return self._folds or bool(self.held_out(0) and self._design.settings["refit"])

    def held_out(self, division: int) -> bool:
        """Whether any pixel validates."""
        return self._divisions[division].holds_out

    def fit(self, division: int | None, checkpoint: Checkpoint) -> Outcome:
        """Train a fresh network, or one that starts from another model."""
        design, part = self._design, None if division is None else self._divisions[division]
        statistics = self._final if division is None else self._statistics[division]
        seed = int(design.settings["seed"])
        torch.manual_seed(seed)
        network = design.network(self.card.architecture).to(self._device.torch)
        sampler = Sampler(
            self._grounds(part),
            self.sites.view,
            window=design.effort.window,
            batch=design.effort.batch,
            seed=seed,
            holding=design.effort.holding,
        )
        trainee = _Judged(
            design.trainee(network, sampler, statistics, design.effort, self._device),
            None
            if division is None or not self.held_out(division)
            else self.held_out_ground(division),
            lambda one: design.segmenter(one, statistics, self._device),
        )
        return train(
            trainee,
            design.effort.plan,
            self._progress,
            seed=seed,
            checkpoint=checkpoint,
            averaged=copy.deepcopy(trainee.network),
        )

    def scores(self, division: int, state: State) -> Scores:
        """The scores on all held-out ground, at the threshold that suits it best."""
        judged = self.judge(division, self.segmenter(state, division))
        self._judged[division] = judged
        whole = pooled(judged)
        return whole.scores(whole.best_threshold, self.sites.mapclass)

    def segmenter(self, state: State, division: int | None = None) -> Segmenter:
        """Weights of this training as they are applied."""
        network = self._design.network(self.card.architecture)
        network.load_state_dict(state)
        statistics = self._final if division is None else self._statistics[division]
        ready = network.to(self._device.torch).eval()
        return self._design.segmenter(ready, statistics, self._device)

    def judge(self, division: int, segmenter: Segmenter) -> tuple[Judged, ...]:
        """The answers of any segmenter on what the division holds out."""
        return self.held_out_ground(division).whole(segmenter, self._progress)

    @property
    def judged(self) -> tuple[Judged, ...]:
        """The answers of this training on all ground that it held out, fold by fold."""
        return tuple(one for _, some in sorted(self._judged.items()) for one in some)

    def exported(self, state: State) -> State:
        """What the model file needs."""
        return self._design.exported(state)

    def findings(self, measured: Measured) -> Mapping[str, object]:
        """The threshold that suits all held-out ground best."""
        return {"threshold": self.threshold}

    @property
    def threshold(self) -> float:
        """From which probability on a pixel is of the class.

        Where no held-out ground shows the class, that of the model that this one started from.
        """
        whole = pooled(self.judged)
        if self._start is not None and not whole.inside.any():
            return model_threshold(self._start)
        return whole.best_threshold

    def report(
        self,
        card: Card,
        measured: Measured,
        told: Told,
        costs: CleanupCosts | None = None,
    ) -> TrainingReport:
        """What the report of this training tells."""
        seconds = card.training.get("seconds")
        reference = self._design.family.reference_role.key
        return TrainingReport(
            family=self._design.family.title,
            card=card,
            epochs=measured.outcome.epochs,
            best_epoch=measured.outcome.best_epoch,
            scores=measured.scores,
            split=self._divisions[0].split,
            maps=division_maps(self.sites, self._divisions[0], reference),
            folds=measured.folds,
            told=told.sentences,
            warnings=self._progress.warned,
            settings=self._settings,
            declared=self._declared,
            device=self._device.reason,
            seconds=seconds if isinstance(seconds, float) else None,
            tables=(*told.tables, *self.tables(costs)),
        )

    def unlike(self) -> str:
        """Which held-out scenes came out far worse than all together, or an empty text."""
        return scenes_far_below(self.judged, self.threshold)

    def tables(self, costs: CleanupCosts | None = None) -> tuple[Table, ...]:
        """The outlines' scores, the cleaning's costs, and those of scenes held out as a whole."""
        judged = self.judged
        if not judged:
            return ()
        whole = len(judged) > 1 or self._divisions[0].split.by_scene
        several = [site_table(judged, self.threshold, self.sites.gsd)] if whole else []
        cleaning = [costs.table] if costs else []
        return (boundary_table(judged, self.threshold, self.sites.gsd), *cleaning, *several)

    def cleanup(self) -> CleanupCosts | None:
        """What the family's usual cleaning costs on held-out ground."""
        return cleanup_costs(
            self.judged, self.threshold, self.sites.gsd, self._design.family.predict_settings
        )

    @property
    def _settings(self) -> dict[str, object]:
        """The settings of this stage; all, where it does not say which it has."""
        keys = {one.key for one in self._declared} or set(self._design.settings)
        return {key: value for key, value in self._design.settings.items() if key in keys}

    def held_out_ground(self, number: int) -> HeldOut:
        """The ground that a division holds out."""
        division = self._divisions[number]
        masks = [division.validating(number) for number in range(len(self.sites.sites))]
        return HeldOut(self.sites.sites, masks, self._design.effort.window)

    def _grounds(self, division: Division | None) -> list[Ground]:
        """All sites with what trains in `division`, or all that is labelled."""
        return [
            self._design.ground(
                site, site.target <= 1 if division is None else division.training(number)
            )
            for number, site in enumerate(self.sites.sites)
        ]

    def _statistics_of(self, division: Division | None) -> S:
        return self._design.statistics(self._grounds(division))

    def _card(self, job: Job, start: Card | None) -> Card:
        design, window = self._design, self._design.effort.window
        before = {"earlier_model": named(start, job)} if start else {}
        return Card(
            family=design.family.key,
            name=Path(job.output("MODEL")).stem,
            inputs=design.inputs(self.sites, self._final),
            classes=(self.sites.mapclass,),
            window=window,
            overlap=window // 2,
            architecture=design.architecture(self.sites),
            provenance={
                "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "software": software(),
                "settings": self._settings,
                "inputs": inputs_of(job),
                **before,
            },
            metrics={EARLIER: earlier_scores(start)} if start else {},
        )

    def _digest(self) -> str:
        about = (sorted(self._design.settings.items()), self.card.architecture, software())
        parts = [part.tobytes() for one in self._divisions for part in one.parts]
        # Weights of chance differ from run to run, unless they are drawn from the same start.
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            start = self._design.network(self.card.architecture).state_dict()
        weights = [value.cpu().numpy().tobytes() for _, value in sorted(start.items())]
        return digest_of(
            [
                repr(about).encode(),
                *parts,
                *(site.values.tobytes() for site in self.sites.sites),
                *(site.target.tobytes() for site in self.sites.sites),
                *weights,
            ]
        )


class _Judged:
    """A trainee whose epochs are judged on held-out ground, the same way in every family."""

    def __init__(
        self,
        trainee: Trainee,
        held_out: HeldOut | None,
        segmenter: Callable[[nn.Module], Segmenter],
    ) -> None:
        self.network = trainee.network
        self._trainee = trainee
        self._held_out = held_out
        self._segmenter = segmenter

    def groups(self) -> list[ParameterGroup]:
        return self._trainee.groups()

    def loss(self, epoch: int, step: int) -> Tensor:
        return self._trainee.loss(epoch, step)

    def stepped(self) -> None:
        self._trainee.stepped()

    def extras(self) -> dict[str, Tensor]:
        return self._trainee.extras()

    def restore_extras(self, extras: Mapping[str, Tensor]) -> None:
        self._trainee.restore_extras(extras)

    def kept(self, averaged: nn.Module) -> nn.Module:
        return self._trainee.kept(averaged)

    def evaluate(self, network: nn.Module) -> Evaluation | None:
        if self._held_out is None:
            return None
        found = self._held_out.quick(self._segmenter(network))
        iou = found.iou(found.best_threshold)
        if iou is None:
            # The ground held out does not show the class: no epoch is better than another.
            return None
        return Evaluation(iou, {"iou": round(iou, 6), "threshold": found.best_threshold})
