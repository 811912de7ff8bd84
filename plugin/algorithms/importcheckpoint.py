"""Takes over a checkpoint of a paper's own code as a model file: `importcheckpoint`."""

from pathlib import Path
from typing import Any

from qgis.core import (
    Qgis,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
)

from ...core.errors import InputError
from ...core.families import FAMILIES
from ...core.job import Job
from ..checks import check_output
from ..job import run_job
from .base import Parameters, TerraweaveAlgorithm, make_folders
from .forms import with_help


class ImportCheckpointAlgorithm(TerraweaveAlgorithm):
    """Reads published weights, without executing anything in the file, and writes a model."""

    KEY = "importcheckpoint"
    TITLE = "Import checkpoint"
    SUMMARY = (
        "Turns a checkpoint of the papers' own code (*.pth, *.pt, *.safetensors) into a model "
        "file. Nothing in the checkpoint is executed."
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add parameters and outputs."""
        checkpoint = QgsProcessingParameterFile(
            "CHECKPOINT",
            "Checkpoint",
            behavior=Qgis.ProcessingFileParameterBehavior.File,
            fileFilter="Checkpoint (*.pth *.pt *.ckpt *.safetensors);;All files (*.*)",
        )
        self.addParameter(with_help(checkpoint, "The weights that the paper's code saved."))
        keys = importing_families()
        family = QgsProcessingParameterEnum(
            "FAMILY", "Family", options=keys, defaultValue=keys[0], usesStaticStrings=True
        )
        self.addParameter(with_help(family, "The family that the checkpoint belongs to."))
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "MODEL", "Model", "Terraweave model (*.safetensors)"
            )
        )

    def check(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Refuse a missing file, and an output that cannot be written."""
        checkpoint = self.parameterAsString(parameters, "CHECKPOINT", context)
        if not Path(checkpoint).is_file():
            raise InputError(f"There is no checkpoint “{checkpoint}”; choose an existing file.")
        path = self.given(parameters, "MODEL", context.expressionContext())
        check_output(path, "MODEL", [checkpoint])

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Convert the checkpoint and return the model's path."""
        outputs = {"MODEL": self.parameterAsFileOutput(parameters, "MODEL", context)}
        make_folders(outputs)
        checkpoint = self.parameterAsString(parameters, "CHECKPOINT", context)
        family = self.parameterAsEnumString(parameters, "FAMILY", context)
        run_job(Job("import", family, model=checkpoint, outputs=outputs), feedback)
        return dict(outputs)


def importing_families() -> list[str]:
    """The keys of the families that take over published checkpoints."""
    return [family.key for family in FAMILIES.values() if family.imports_checkpoints]
