"""What can be done with a family: the steps whose tools QGIS's registry really has."""

from dataclasses import dataclass

from qgis.core import QgsApplication, QgsProcessingAlgorithm

from ..core.family import Family


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way from layers to a map, and the words for it.

    `tool` is the start of the tool's name; the family's key follows where `own` is set. What
    takes long is `estimated` before it starts. A step learns from `precise` labels, `maps` a
    scene, or `judges` a map.
    """

    tool: str
    title: str
    button: str
    intro: str
    own: bool = True
    estimated: bool = True
    precise: bool = False
    maps: bool = False
    judges: bool = False


STEPS = (
    Step(
        "train",
        "Train",
        "Train a model",
        "Learn from images and labels what the classes look like. The answer is a model file.",
    ),
    Step(
        "refine",
        "Refine",
        "Refine the model",
        "Teach a trained model more with a few better labels.",
        precise=True,
    ),
    Step(
        "predict",
        "Apply",
        "Make the map",
        "Use a model file to map a whole scene.",
        maps=True,
    ),
    Step(
        "assess",
        "Assess",
        "Assess the map",
        "Compare a map with what is known, and get honest scores.",
        own=False,
        estimated=False,
        judges=True,
    ),
)


def step_id(provider: str, step: Step, family: Family) -> str:
    """The id of the tool that does `step` for `family`."""
    return f"{provider}:{step.tool}{family.key if step.own else ''}"


def offered_steps(provider: str, family: Family) -> list[Step]:
    """The steps that QGIS's registry has a tool for."""
    registry = QgsApplication.processingRegistry()
    return [one for one in STEPS if registry.algorithmById(step_id(provider, one, family))]


def fresh_algorithm(identifier: str) -> QgsProcessingAlgorithm | None:
    """A copy of a tool that stays valid when its provider lists its tools anew, or None."""
    return QgsApplication.processingRegistry().createAlgorithmById(identifier)
