"""Measures a class raster against a reference: `assess`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMapLayer,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameters,
    QgsProcessingParameterVectorDestination,
    QgsRasterLayer,
    QgsVectorLayer,
)

from ...core.accuracy.facts import ASSESS_SETTINGS
from ...core.errors import InputError
from ...core.job import Job
from ...core.settings import Value
from ..checks import check_crs, check_output, check_overlap
from ..sources import PreparedFeatures, PreparedRaster
from ..styling import announce_layer
from .base import (
    Parameters,
    Preparation,
    TerraweaveAlgorithm,
    make_folders,
    numbers_only,
    run_with_files,
)
from .field_widget import following_field
from .forms import parameter_of, setting_values, settings_help, with_help
from .maps import (
    area_of,
    area_parameter,
    check_class_raster,
    class_raster,
    class_raster_parameter,
    spoken_classes,
)

_NODATA = 255
_FILES = ("REPORT", "TABLE")
_LAYERS = ("DISAGREEMENT", "WORST")
_ENDINGS = {"REPORT": (".html", ".htm"), "TABLE": (".json", ".csv")}
_SCORES = (
    ("PIXELS", "Compared pixels"),
    ("OA", "Overall accuracy"),
    ("OA_LOW", "Overall accuracy, lower end of the 95 % interval"),
    ("OA_HIGH", "Overall accuracy, upper end of the 95 % interval"),
    ("AA", "Average accuracy"),
    ("KAPPA", "Kappa"),
    ("MACRO_F1", "Macro-F1"),
    ("MEAN_IOU", "Mean IoU"),
    ("OA_ADJUSTED", "Overall accuracy of the whole map, by mapped area"),
    ("OA_ADJUSTED_MARGIN", "Half its 95 % interval"),
    ("F1", "F1 of the one class"),
    ("IOU", "IoU of the one class"),
    ("BOUNDARY_IOU", "Boundary IoU"),
    ("BOUNDARY_F1", "Boundary F1"),
    ("DETECTION_RATE", "Share of the objects found"),
    ("FALSE_PARTS_PER_KM2", "False parts in a km²"),
    ("AREA_BIAS", "Area bias (0.1: 10 % too much)"),
)
_REFERENCE_TYPES = [
    QgsProcessing.SourceType.TypeVectorPolygon,
    QgsProcessing.SourceType.TypeVectorPoint,
    QgsProcessing.SourceType.TypeRaster,
]


class AssessAlgorithm(TerraweaveAlgorithm):
    """Says how good a map is, where it is wrong, and how sure that is."""

    KEY = "assess"
    TITLE = "Assess a map"
    GROUP = ("accuracy", "Accuracy")
    SUMMARY = (
        "Compares a class raster, of Terraweave or of anybody, with reference polygons, points or "
        "another raster: confusion matrix, scores with intervals, and where the two disagree."
    )

    def shortHelpString(self) -> str:
        """The help beside the form."""
        return super().shortHelpString() + settings_help(ASSESS_SETTINGS)

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add parameters and outputs."""
        self.addParameter(
            class_raster_parameter("CLASSES", "Class map", "The map to judge, one class a pixel.")
        )
        self._add_reference()
        self.addParameter(area_parameter())
        for setting in ASSESS_SETTINGS:
            self.addParameter(parameter_of(setting))
        self._add_outputs()

    def _add_reference(self) -> None:
        reference = QgsProcessingParameterMapLayer("REFERENCE", "Reference", types=_REFERENCE_TYPES)
        self.addParameter(
            with_help(
                reference,
                "What is known of the ground: polygons or points with a class field, or a class "
                "raster. It should not have taken part in the training.",
            )
        )
        selected = QgsProcessingParameterBoolean(
            "REFERENCE_SELECTED_ONLY", "Selected reference features only", defaultValue=False
        )
        self.addParameter(
            with_help(selected, "Compare with the selected features alone.", advanced=True)
        )
        field = following_field(
            QgsProcessingParameterField(
                "CLASS_FIELD", "Class field", parentLayerParameterName="REFERENCE", optional=True
            )
        )
        self.addParameter(
            with_help(
                field,
                "The field with the class. A class raster needs none, nor do footprints of one "
                "class where unmarked ground is none of the classes.",
            )
        )

    def _add_outputs(self) -> None:
        report = QgsProcessingParameterFileDestination(
            "REPORT", "Accuracy report", "Web page (*.html)", optional=True
        )
        self.addParameter(report)
        table = QgsProcessingParameterFileDestination(
            "TABLE", "Table of scores", "JSON (*.json);;CSV (*.csv)", optional=True,
            createByDefault=False,
        )  # fmt: skip
        self.addParameter(table)
        self.addParameter(
            QgsProcessingParameterRasterDestination(
                "DISAGREEMENT", "Disagreement", optional=True, createByDefault=False
            )
        )
        self.addParameter(
            QgsProcessingParameterVectorDestination(
                "WORST",
                "Worst places",
                QgsProcessing.SourceType.TypeVectorPolygon,
                optional=True,
                createByDefault=False,
            )
        )
        for name, title in _SCORES:
            self.addOutput(QgsProcessingOutputNumber(name, title))

    def preprocessParameters(self, parameters: Parameters) -> Parameters:
        """Take “selected features only” also in the form that other tools use for it."""
        value = parameters.get("REFERENCE")
        if not isinstance(value, QgsProcessingFeatureSourceDefinition):
            return parameters
        return {
            **parameters,
            "REFERENCE": value.source,
            "REFERENCE_SELECTED_ONLY": value.selectedFeaturesOnly
            or parameters.get("REFERENCE_SELECTED_ONLY", False),
        }

    def checkParameterValues(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Whether the values can work, as far as can be seen without starting the worker."""
        return super().checkParameterValues(self.preprocessParameters(parameters), context)

    def check(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Refuse maps, references, areas and outputs that cannot work."""
        on = class_raster(self, "CLASSES", parameters, context)
        reference = self._reference(parameters, context)
        check_crs(reference)
        check_overlap(on, reference, context.transformContext())
        settings = setting_values(self, ASSESS_SETTINGS, parameters, context)
        if isinstance(reference, QgsRasterLayer):
            check_class_raster(reference)
        else:
            unmarked = _unmarked(settings, on)
            self._check_features(reference, unmarked, parameters, context)
        area_of(self, on, parameters, context)
        for name in (*_FILES, *_LAYERS):
            path = self.given(parameters, name, context.expressionContext())
            check_output(path, name, [on, reference])
            _check_ending(path, name)

    def _check_features(
        self,
        layer: QgsVectorLayer,
        unmarked: str,
        parameters: Parameters,
        context: QgsProcessingContext,
    ) -> None:
        field = self.parameterAsString(parameters, "CLASS_FIELD", context)
        names = ", ".join(one for one in layer.fields().names() if one)
        if field and layer.fields().lookupField(field) < 0:
            raise InputError(
                f"“{layer.name()}” has no field “{field}”; choose one of "
                f"{names or 'another layer, since it has none'}."
            )
        if not field and unmarked != "background":
            raise InputError(
                f"No class field (CLASS_FIELD) was given; choose one of the fields of "
                f"“{layer.name()}”: {names or 'it has none'}. If its features all mark one class, "
                "say that unmarked ground is none of the classes (UNMARKED: background)."
            )
        selected = self.parameterAsBoolean(parameters, "REFERENCE_SELECTED_ONLY", context)
        if selected and not layer.selectedFeatureCount():
            raise InputError(
                f"No features of “{layer.name()}” are selected; select some, or switch off "
                "“Selected reference features only” (REFERENCE_SELECTED_ONLY)."
            )

    def prepared(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Keep map, reference and area in a form that another thread may use."""
        parameters = self.preprocessParameters(parameters)
        on = class_raster(self, "CLASSES", parameters, context)
        self._map = PreparedRaster.of(on, context)
        self._classes = spoken_classes(on)
        self._prepared_reference = self._prepare_reference(parameters, context)
        self._area = area_of(self, on, parameters, context)
        self._settings = setting_values(self, ASSESS_SETTINGS, parameters, context)

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Compare, and return the files and the scores."""
        outputs = self._outputs(parameters, context)
        make_folders(outputs)

        def job(files: Preparation) -> Job:
            on = replace(files.source(self._map, "classes"), classes=self._classes)
            return Job(
                "assess",
                inputs={"CLASSES": (on,)},
                labels=files.features(self._prepared_reference, "reference"),
                area=files.features(self._area, "area") if self._area else None,
                settings=self._settings,
                outputs=outputs,
            )

        result = run_with_files(context, feedback, 3, job)
        titles = {"DISAGREEMENT": "Disagreement", "WORST": "Worst places"}
        for name in _LAYERS:
            if name in outputs:
                # The worker lays the style beside the file, and QGIS has read it already.
                announce_layer(
                    context, outputs[name], f"{titles[name]} ({self._map.name})", lambda _: None
                )
        return {**outputs, **numbers_only(result.values, tuple(name for name, _ in _SCORES))}

    def _outputs(self, parameters: Parameters, context: QgsProcessingContext) -> dict[str, str]:
        files = {name: self.parameterAsFileOutput(parameters, name, context) for name in _FILES}
        layers = {
            name: self.parameterAsOutputLayer(parameters, name, context)
            for name in _LAYERS
            if parameters.get(name) is not None
        }
        return {name: path for name, path in (files | layers).items() if path}

    def _reference(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> QgsVectorLayer | QgsRasterLayer:
        parameters = self.preprocessParameters(parameters)
        layer: QgsMapLayer | None = self.parameterAsLayer(parameters, "REFERENCE", context)
        if not isinstance(layer, QgsVectorLayer | QgsRasterLayer) or not layer.isValid():
            raise InputError(
                "The reference (REFERENCE) is missing; choose polygons, points or a class raster."
            )
        return layer

    def _prepare_reference(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> PreparedFeatures:
        layer = self._reference(parameters, context)
        if isinstance(layer, QgsRasterLayer):
            made = PreparedFeatures.of_raster(layer, context)
            return replace(made, features=replace(made.features, classes=spoken_classes(layer)))
        selected = self.parameterAsBoolean(parameters, "REFERENCE_SELECTED_ONLY", context)
        source = QgsProcessingParameters.parameterAsSource(
            self.parameterDefinition("REFERENCE"),
            {"REFERENCE": QgsProcessingFeatureSourceDefinition(layer.id(), selected)},
            context,
        )
        field = self.parameterAsString(parameters, "CLASS_FIELD", context)
        return PreparedFeatures.of_vector(source, field, layer)


def _check_ending(path: str, name: str) -> None:
    endings = _ENDINGS.get(name, ())
    if path and endings and Path(path).suffix.lower() not in endings:
        raise InputError(
            f"The output {name}, “{Path(path).name}”, ends in none of {', '.join(endings)}; give "
            "it such a name."
        )


def _unmarked(settings: dict[str, Value], on: QgsRasterLayer) -> str:
    """What unmarked ground is, where the map may say it: those of one class have nodata 255."""
    chosen = str(settings["unmarked"])
    provider = on.dataProvider()
    of_one_class = provider.sourceHasNoDataValue(1) and provider.sourceNoDataValue(1) == _NODATA
    return "background" if chosen == "auto" and of_one_class else chosen
