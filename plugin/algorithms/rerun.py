"""Makes a prediction once more from the record in its raster: `rerun`."""

from pathlib import Path
from typing import Any

from qgis.core import (
    Qgis,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputBoolean,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsRasterLayer,
)

from ...core.card import read_card
from ...core.errors import InputError
from ...core.families import FAMILIES, family_named
from ...core.family import Family, Role
from ...core.job import Job, Source
from ...core.record import RERUN_SETTINGS
from ..checks import check_images, check_model, check_output
from ..sources import PreparedRaster, local_path
from ..styling import announce_layer, class_raster_style
from .base import (
    Parameters,
    Preparation,
    TerraweaveAlgorithm,
    make_folders,
    numbers_only,
    run_with_files,
)
from .forms import parameter_of, setting_values, settings_help, with_help

_NUMBERS = (("PIXELS", "Compared pixels"), ("DIFFERENT", "Pixels that differ"))


class RerunAlgorithm(TerraweaveAlgorithm):
    """Shows whether a result can be made again."""

    KEY = "rerun"
    TITLE = "Run a result again"
    GROUP = ("predict", "Predict")
    SUMMARY = (
        "Makes a class map once more with the settings that it carries, and counts the pixels "
        "that differ. Model and images are those of the first run, which is checked by their "
        "fingerprints. On the processor, with the same versions, no pixel should differ."
    )

    def shortHelpString(self) -> str:
        """The help beside the form."""
        return super().shortHelpString() + settings_help(RERUN_SETTINGS)

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add parameters and outputs."""
        result = QgsProcessingParameterRasterLayer("RESULT", "Class map to make again")
        self.addParameter(with_help(result, "A class raster as “predict…” wrote it."))
        model = QgsProcessingParameterFile(
            "MODEL",
            "Model",
            behavior=Qgis.ProcessingFileParameterBehavior.File,
            fileFilter="Terraweave model (*.safetensors)",
        )
        self.addParameter(with_help(model, "The model that the map was made with."))
        for role in _roles().values():
            image = QgsProcessingParameterRasterLayer(role.key, role.title, optional=True)
            self.addParameter(with_help(image, f"{role.help} Empty where the model needs none."))
        for setting in RERUN_SETTINGS:
            self.addParameter(parameter_of(setting))
        self.addParameter(QgsProcessingParameterRasterDestination("CLASSES", "Class map, again"))
        for name, title in _NUMBERS:
            self.addOutput(QgsProcessingOutputNumber(name, title))
        self.addOutput(QgsProcessingOutputBoolean("IDENTICAL", "Whether no pixel differs"))

    def check(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Refuse results, models, images and outputs that cannot work."""
        result = self._result(parameters, context)
        model = self.parameterAsString(parameters, "MODEL", context)
        images = self._images(_family_of(model), parameters, context)
        setting_values(self, RERUN_SETTINGS, parameters, context)
        path = self.given(parameters, "CLASSES", context.expressionContext())
        check_output(path, "CLASSES", [result, *images.values(), model])

    def prepared(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Keep result and images in a form that another thread may use."""
        result = self._result(parameters, context)
        self._old = Source(local_path(result), result.name())
        self._model = self.parameterAsString(parameters, "MODEL", context)
        family = _family_of(self._model)
        self._card = check_model(self._model, family)
        images = self._images(family, parameters, context)
        self._inputs = {role: PreparedRaster.of(layer, context) for role, layer in images.items()}
        self._settings = setting_values(self, RERUN_SETTINGS, parameters, context)

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Make the map again and say what differs."""
        outputs = {"CLASSES": self.parameterAsOutputLayer(parameters, "CLASSES", context)}
        make_folders(outputs)

        def job(files: Preparation) -> Job:
            images = {
                role: (files.source(one, role.lower()),) for role, one in self._inputs.items()
            }
            return Job(
                "rerun",
                inputs={**images, "RESULT": (self._old,)},
                model=self._model,
                settings=self._settings,
                outputs=outputs,
            )

        result = run_with_files(context, feedback, len(self._inputs), job)
        style = class_raster_style(self._card.classes)
        announce_layer(context, outputs["CLASSES"], f"{self._old.title}, run again", style)
        numbers = numbers_only(result.values, tuple(name for name, _ in _NUMBERS))
        return {**outputs, **numbers, "IDENTICAL": result.values.get("IDENTICAL") is True}

    def _result(self, parameters: Parameters, context: QgsProcessingContext) -> QgsRasterLayer:
        layer = self.parameterAsRasterLayer(parameters, "RESULT", context)
        if layer is None or not layer.isValid():
            raise InputError("The class map (RESULT) is missing; choose a class raster.")
        if not local_path(layer):
            raise InputError(
                f"“{layer.name()}” is no file on this computer, so it cannot tell how it was "
                "made; choose the GeoTIFF that the prediction wrote."
            )
        return layer

    def _images(
        self, family: Family, parameters: Parameters, context: QgsProcessingContext
    ) -> dict[str, QgsRasterLayer]:
        """The raster layer of each role of `family`, checked."""
        own = [role.key for role in family.roles]
        images = {}
        for key, role in _roles().items():
            layer = self.parameterAsRasterLayer(parameters, key, context)
            if key not in own and layer is not None:
                raise InputError(
                    f"The model is of the family {family.key}, which looks at {', '.join(own)}; "
                    f"leave {role.title} ({key}) empty."
                )
            if key in own and (layer is None or not layer.isValid()):
                raise InputError(f"{role.title} ({key}) is missing; choose a raster layer.")
            if key in own:
                images[key] = layer
        single = {key: [layer] for key, layer in images.items()}
        check_images(family, single, context.transformContext())
        return images


def _family_of(model: str) -> Family:
    """The family of the model file at `model`; raises InputError where there is none."""
    if not Path(model).is_file():
        raise InputError(f"There is no model file “{model}” (MODEL); choose a *.safetensors file.")
    return family_named(read_card(model).family)


def _roles() -> dict[str, Role]:
    """The images that any family looks at."""
    return {role.key: role for family in FAMILIES.values() for role in family.roles}
