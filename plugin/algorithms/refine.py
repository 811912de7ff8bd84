"""Goes on from a model with few, more precise labels: `refineminec2fnet` and its siblings."""

from qgis.core import Qgis, QgsProcessingParameterFile

from ...core.family import Family
from .forms import with_help
from .further import FurtherScenes
from .train import TrainAlgorithm

_EARLIER = (
    "What the teacher was trained on, if it is still at hand. It is only looked at, never trained "
    "on: the report then tells how much was forgotten there. Without it, the scores that the "
    "teacher's card remembers are shown."
)


class RefineAlgorithm(TrainAlgorithm):
    """The second stage of `family` by itself, from any of its models."""

    GROUP = ("refine", "Refine")
    TASK = "refine"
    START = "TEACHER"

    def __init__(self, family: Family) -> None:
        """The algorithm `refine` + the family's key."""
        super().__init__(family)
        if family.refinement is None:
            raise ValueError(f"{family.key} has no second stage")
        self.TITLE = family.refinement.title
        self.SUMMARY = f"{family.purpose}: goes on from a model with few precise labels."
        self.HELP = family.refinement.help
        self.settings = family.refinement.settings
        self.LABELS_HELP = family.refinement.labels

    def _further(self) -> FurtherScenes:
        return FurtherScenes(self.family, "OLD", "earlier", _EARLIER)

    @property
    def _other_names(self) -> str:
        """The class keeps the teacher's name, so that one of that name must be there."""
        return "; at least one of that name must be there"

    def createInstance(self) -> "RefineAlgorithm":
        """A fresh copy."""
        return RefineAlgorithm(self.family)

    def _add_start(self) -> None:
        teacher = QgsProcessingParameterFile(
            self.START,
            "Teacher",
            behavior=Qgis.ProcessingFileParameterBehavior.File,
            fileFilter="Terraweave model (*.safetensors)",
        )
        text = "The model to refine, trained by this family's tools. It stays as it is."
        self.addParameter(with_help(teacher, text))
