"""Trains a model of one family: `traindas2f` and its siblings."""

from contextlib import suppress
from typing import Any

from qgis.core import (
    Qgis,
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMapLayer,
    QgsProcessingParameters,
    QgsRasterLayer,
    QgsVectorLayer,
)

from ...core.errors import InputError
from ...core.family import Family
from ...core.job import Job, Source
from ..checks import (
    check_images,
    check_labels,
    check_model,
    check_output,
    check_start_bands,
    telling_field,
)
from ..sources import PreparedFeatures, PreparedRaster
from .base import (
    Parameters,
    Preparation,
    TerraweaveAlgorithm,
    make_folders,
    numbers_only,
    run_with_files,
)
from .field_widget import following_field
from .forms import family_help, parameter_of, setting_values, with_help
from .further import FurtherScenes, prepared_area
from .scenes import ImagesParameter, raster_layers, without_folders

SCORES = (
    ("OA", "Overall accuracy"),
    ("AA", "Average accuracy"),
    ("KAPPA", "Kappa"),
    ("MACRO_F1", "Macro-F1"),
)
CLASS_SCORES = (
    ("IOU", "IoU of the class"),
    ("F1", "F1 of the class"),
    ("PRECISION", "Precision of the class"),
    ("RECALL", "Recall of the class"),
    ("THRESHOLD", "Threshold of the probability"),
)
TEACHER_SCORES = (
    ("TEACHER_IOU", "IoU of the teacher, its threshold chosen on the same held-out labels"),
    ("TEACHER_THRESHOLD", "Threshold that suits the teacher there"),
    ("GAIN", "Gain in IoU against that teacher"),
)
_POINTS = QgsProcessing.SourceType.TypeVectorPoint
_LABEL_TYPES = [
    QgsProcessing.SourceType.TypeVectorPolygon,
    _POINTS,
    QgsProcessing.SourceType.TypeRaster,
]


class TrainAlgorithm(TerraweaveAlgorithm):
    """Trains a model of `family` on the user's images and labels."""

    GROUP = ("train", "Train")
    TASK = "train"
    START = "START_MODEL"
    LABELS_HELP = ""
    HELP = ""

    def __init__(self, family: Family) -> None:
        """The algorithm `train` + the family's key."""
        super().__init__()
        self.family = family
        self.KEY = f"{self.TASK}{family.key}"
        self.TITLE = f"Train: {family.title}"
        self.SUMMARY = f"{family.purpose}: trains a model on images and labels."
        self.settings = family.train_settings
        self.further = self._further()

    def _further(self) -> FurtherScenes | None:
        """The scenes of a second stage in the same run."""
        if self.family.refinement is None:
            return None
        text = "For a second stage in the same run; images may be the same as those above."
        return FurtherScenes(self.family, "FINE", "precise", text, self.family.refinement.labels)

    def createInstance(self) -> "TrainAlgorithm":
        """A fresh copy."""
        return TrainAlgorithm(self.family)

    def shortHelpString(self) -> str:
        """The help beside the form."""
        return family_help(self.family, self.HELP or self.family.help, self.settings)

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add parameters and outputs."""
        for role in self.family.roles:
            layers = ImagesParameter(role.key, role.title)
            several = (
                "Several layers are several scenes, in the same order for every image; a folder "
                "stands for the rasters in it."
            )
            self.addParameter(with_help(layers, f"{role.help} {several}"))
        self._add_labels()
        self._add_start()
        if self.further is not None:
            for parameter in self.further.parameters():
                self.addParameter(parameter)
        for setting in self.settings:
            self.addParameter(parameter_of(setting))
        self._add_outputs()

    def _add_labels(self) -> None:
        types = [one for one in _LABEL_TYPES if not (self.family.binary and one == _POINTS)]
        labels = QgsProcessingParameterMapLayer("LABELS", "Labels", types=types)
        self.addParameter(with_help(labels, self.LABELS_HELP or self.family.labels))
        selected = QgsProcessingParameterBoolean(
            "LABELS_SELECTED_ONLY", "Selected labels only", defaultValue=False
        )
        self.addParameter(
            with_help(selected, "Learn from the selected features alone.", advanced=True)
        )
        field = following_field(
            QgsProcessingParameterField(
                "CLASS_FIELD", "Class field", parentLayerParameterName="LABELS", optional=True
            )
        )
        self.addParameter(with_help(field, self._field_help))
        area = QgsProcessingParameterFeatureSource(
            "AREA", "Surveyed area", [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
        )
        self.addParameter(
            with_help(
                area,
                "What was surveyed. Pixels outside it are unlabelled, never background.",
                advanced=True,
            )
        )

    @property
    def _field_help(self) -> str:
        text = "The field with the class; a class raster needs none."
        if self.family.target is not None:
            text += (
                f" Features called “{self.family.target.name}” there (in large or small letters) "
                f"are of the class, all others are background{self._other_names}. Without a field, "
                "every feature is of the class."
            )
        if self.further is not None:
            text += f" It also counts in the {self.further.adjective} labels, if they have it."
        return text

    @property
    def _other_names(self) -> str:
        """What becomes of labels of which none has the name of the class."""
        return "; a single other name is the class by another name"

    def _add_start(self) -> None:
        start = QgsProcessingParameterFile(
            self.START,
            "Start from model",
            behavior=Qgis.ProcessingFileParameterBehavior.File,
            fileFilter="Terraweave model (*.safetensors)",
            optional=True,
        )
        self.addParameter(
            with_help(start, "Go on from this model instead of from chance.", advanced=True)
        )

    def _add_outputs(self) -> None:
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "MODEL", "Model", "Terraweave model (*.safetensors)"
            )
        )
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "REPORT", "Training report", "Web page (*.html)", optional=True
            )
        )
        for name, title in self.scores:
            self.addOutput(QgsProcessingOutputNumber(name, title))

    @property
    def scores(self) -> tuple[tuple[str, str], ...]:
        """Ids and titles of the scores that the run returns."""
        own = (*CLASS_SCORES, *SCORES) if self.family.binary else SCORES
        return own if self.family.refinement is None else (*own, *TEACHER_SCORES)

    def preprocessParameters(self, parameters: Parameters) -> Parameters:
        """Take folders of images, and “selected features only” as other tools write it."""
        with suppress(InputError):
            parameters = without_folders(parameters, self._image_names)
        value = parameters.get("LABELS")
        if not isinstance(value, QgsProcessingFeatureSourceDefinition):
            return parameters
        return {
            **parameters,
            "LABELS": value.source,
            "LABELS_SELECTED_ONLY": value.selectedFeaturesOnly
            or parameters.get("LABELS_SELECTED_ONLY", False),
        }

    def checkParameterValues(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Whether the values can work, as far as can be seen without starting the worker."""
        try:
            parameters = without_folders(parameters, self._image_names)
        except InputError as error:
            return False, str(error)
        return super().checkParameterValues(self.preprocessParameters(parameters), context)

    @property
    def _image_names(self) -> list[str]:
        """The parameters that take several images."""
        own = [role.key for role in self.family.roles]
        return [*own, *(self.further.image_names if self.further else ())]

    def check(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Refuse images, labels, models and outputs that cannot work."""
        images = self._images(parameters, context)
        transforms = context.transformContext()
        check_images(self.family, images, transforms)
        labels = self._labels(parameters, context)
        field = self.parameterAsString(parameters, "CLASS_FIELD", context)
        scenes = images[self.family.reference_role.key]
        check_labels(self.family, labels, field, scenes, transforms)
        self._check_selection(labels, parameters, context)
        start = self.parameterAsString(parameters, self.START, context)
        if start:
            check_start_bands(check_model(start, self.family, tool="train"), images)
        values = setting_values(self, self.settings, parameters, context)
        if not start:
            self.family.check(values)
        further = self.further.check(self, parameters, context) if self.further else []
        inputs = [*(layer for some in images.values() for layer in some), labels, *further]
        for name in ("MODEL", "REPORT"):
            path = self.given(parameters, name, context.expressionContext())
            # A training may write over the model that it starts from; a teacher stays.
            kept = name == "REPORT" or self.TASK == "refine"
            check_output(path, name, [*inputs, start] if kept else inputs)

    def _check_selection(
        self, labels: QgsMapLayer, parameters: Parameters, context: QgsProcessingContext
    ) -> None:
        if not self.parameterAsBoolean(parameters, "LABELS_SELECTED_ONLY", context):
            return
        if isinstance(labels, QgsVectorLayer) and not labels.selectedFeatureCount():
            raise InputError(
                f"No features of “{labels.name()}” are selected; select some, or switch off "
                "“Selected labels only” (LABELS_SELECTED_ONLY)."
            )

    def prepared(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Keep images, labels and area in a form that another thread may use."""
        parameters = self.preprocessParameters(parameters)
        self._inputs = {
            role: [PreparedRaster.of(layer, context) for layer in layers]
            for role, layers in self._images(parameters, context).items()
        }
        self._prepared_labels = self._prepare_labels(parameters, context)
        self._area = prepared_area(self, parameters, "AREA", context)
        self._settings = setting_values(self, self.settings, parameters, context)
        self._start = self.parameterAsString(parameters, self.START, context)
        if self.further is not None:
            self.further.prepare(self, parameters, context)

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Train, and return the files and the scores on held-out blocks."""
        outputs = {
            name: self.parameterAsFileOutput(parameters, name, context)
            for name in ("MODEL", "REPORT")
        }
        make_folders(outputs)

        def job(files: Preparation) -> Job:
            further = self.further
            return Job(
                self.TASK,
                self.family.key,
                inputs={
                    **_written(self._inputs, files),
                    **(further.inputs(files) if further else {}),
                },
                labels=files.features(self._prepared_labels, "labels"),
                area=files.features(self._area, "area") if self._area else None,
                model=self._start,
                features=further.features(files) if further else {},
                settings=self._settings,
                outputs={name: path for name, path in outputs.items() if path},
            )

        count = sum(len(some) for some in self._inputs.values()) + 2
        count += self.further.count if self.further else 0
        result = run_with_files(context, feedback, count, job)
        written = {name: path for name, path in outputs.items() if path}
        return {**written, **numbers_only(result.values, tuple(name for name, _ in self.scores))}

    def _images(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> dict[str, list[QgsRasterLayer]]:
        """The raster layers of each role."""
        images = {}
        for role in self.family.roles:
            images[role.key] = raster_layers(self, parameters, role.key, context)
            if not images[role.key]:
                raise InputError(
                    f"{role.title} ({role.key}) is missing or cannot be opened; choose a raster "
                    "layer that QGIS can show."
                )
        return images

    def _labels(self, parameters: Parameters, context: QgsProcessingContext) -> QgsMapLayer:
        parameters = self.preprocessParameters(parameters)
        layer = self.parameterAsLayer(parameters, "LABELS", context)
        if not isinstance(layer, QgsVectorLayer | QgsRasterLayer):
            kinds = "polygons" if self.family.binary else "polygons, points"
            raise InputError(f"Labels (LABELS) are missing; choose {kinds} or a class raster.")
        return layer

    def _prepare_labels(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> PreparedFeatures:
        layer = self._labels(parameters, context)
        if isinstance(layer, QgsRasterLayer):
            return PreparedFeatures.of_raster(layer, context)
        selected = self.parameterAsBoolean(parameters, "LABELS_SELECTED_ONLY", context)
        source = QgsProcessingParameters.parameterAsSource(
            self.parameterDefinition("LABELS"),
            {"LABELS": QgsProcessingFeatureSourceDefinition(layer.id(), selected)},
            context,
        )
        field = self.parameterAsString(parameters, "CLASS_FIELD", context)
        found = PreparedFeatures.of_vector(source, field, layer)
        return found.with_notes(telling_field(self.family, layer, field))


def _written(
    prepared: dict[str, list[PreparedRaster]], files: Preparation
) -> dict[str, tuple[Source, ...]]:
    """The images as files, copied where the worker could not read them."""
    return {
        role: tuple(
            files.source(one, f"{role.lower()}_{number}")
            for number, one in enumerate(rasters, start=1)
        )
        for role, rasters in prepared.items()
    }
