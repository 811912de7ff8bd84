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
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsRasterLayer,
)

from ...core.classes import MapClass, palette_color
from ...core.errors import InputError
from ...core.families import FAMILIES
from ...core.family import Family, Role
from ...core.job import Features, Job
from ..checks import check_images, check_output
from ..sources import PreparedRaster
from .base import Parameters, Preparation, TerraweaveAlgorithm, make_folders, run_with_files
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
        for role in _roles().values():
            layer = QgsProcessingParameterRasterLayer(role.key, role.title, optional=True)
            self.addParameter(
                with_help(
                    layer,
                    f"{role.help} One like those of the training: a checkpoint does not say how "
                    "its images were scaled, so that mean and deviation are measured here.",
                )
            )
        names = QgsProcessingParameterString("CLASS_NAMES", "Class names", optional=True)
        self.addParameter(
            with_help(
                names,
                "The classes in the order of the training, separated by commas. Numbered where "
                "empty.",
            )
        )
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
        images = self._images(parameters, context)
        check_images(self._family(parameters, context), images, context.transformContext())
        self._classes(parameters, context)
        path = self.given(parameters, "MODEL", context.expressionContext())
        layers = [layer for some in images.values() for layer in some]
        check_output(path, "MODEL", [checkpoint, *layers])

    def prepared(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Keep the images in a form that another thread may use."""
        self._inputs = {
            role: PreparedRaster.of(layers[0], context)
            for role, layers in self._images(parameters, context).items()
        }

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Convert the checkpoint and return the model's path."""
        outputs = {"MODEL": self.parameterAsFileOutput(parameters, "MODEL", context)}
        make_folders(outputs)
        classes = self._classes(parameters, context)
        checkpoint = self.parameterAsString(parameters, "CHECKPOINT", context)

        def job(files: Preparation) -> Job:
            return Job(
                "import",
                self._family(parameters, context).key,
                inputs={
                    role: (files.source(one, role.lower()),) for role, one in self._inputs.items()
                },
                # There are no labels here, only what the checkpoint's classes are called.
                labels=Features(checkpoint, classes=classes) if classes else None,
                model=checkpoint,
                outputs=outputs,
            )

        run_with_files(context, feedback, len(self._inputs), job)
        return dict(outputs)

    def _family(self, parameters: Parameters, context: QgsProcessingContext) -> Family:
        return FAMILIES[self.parameterAsEnumString(parameters, "FAMILY", context)]

    def _images(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> dict[str, list[QgsRasterLayer]]:
        """The one raster layer of each role of the family."""
        images = {}
        for role in self._family(parameters, context).roles:
            layer = self.parameterAsRasterLayer(parameters, role.key, context)
            if layer is None or not layer.isValid():
                raise InputError(
                    f"{role.title} ({role.key}) is missing; choose one like those that the "
                    "checkpoint was trained on."
                )
            images[role.key] = [layer]
        return images

    def _classes(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> tuple[MapClass, ...]:
        """The classes as the user names them, numbered from 1."""
        text = self.parameterAsString(parameters, "CLASS_NAMES", context)
        names = [name.strip() for name in text.split(",")] if text.strip() else []
        if "" in names:
            raise InputError(
                f"One of the class names (CLASS_NAMES) “{text}” is empty; give one name for each "
                "class, separated by commas."
            )
        return tuple(
            MapClass(number, name, palette_color(number - 1))
            for number, name in enumerate(names, start=1)
        )


def importing_families() -> list[str]:
    """The keys of the families that take over published checkpoints."""
    return [family.key for family in FAMILIES.values() if family.imports_checkpoints]


def _roles() -> dict[str, Role]:
    """The images that any of these families looks at."""
    return {role.key: role for key in importing_families() for role in FAMILIES[key].roles}
