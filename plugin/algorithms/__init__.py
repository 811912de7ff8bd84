"""The algorithms of the provider, written out; those of the families are made from the registry."""

from qgis.core import QgsProcessingAlgorithm

from ...core.families import FAMILIES
from .assess import AssessAlgorithm
from .diagnose import DiagnoseAlgorithm
from .importcheckpoint import ImportCheckpointAlgorithm
from .inspectmodel import InspectModelAlgorithm
from .predict import PredictAlgorithm
from .refine import RefineAlgorithm
from .rerun import RerunAlgorithm
from .samplepoints import SamplePointsAlgorithm
from .samplescene import SampleSceneAlgorithm
from .setup import SetupAlgorithm
from .train import TrainAlgorithm


def all_algorithms() -> list[QgsProcessingAlgorithm]:
    """A fresh copy of every algorithm."""
    return [
        *(TrainAlgorithm(family) for family in FAMILIES.values()),
        *(RefineAlgorithm(family) for family in FAMILIES.values() if family.refinement),
        *(PredictAlgorithm(family) for family in FAMILIES.values()),
        RerunAlgorithm(),
        AssessAlgorithm(),
        SamplePointsAlgorithm(),
        InspectModelAlgorithm(),
        ImportCheckpointAlgorithm(),
        SampleSceneAlgorithm(),
        SetupAlgorithm(),
        DiagnoseAlgorithm(),
    ]
