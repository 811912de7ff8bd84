"""Draws reference points from a class raster, ready for labelling: `samplepoints`."""

from dataclasses import replace
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterVectorDestination,
)

from ...core.accuracy.facts import SAMPLE_SETTINGS
from ...core.job import Job
from ..checks import check_output
from ..sources import PreparedRaster
from ..styling import announce_layer
from .base import (
    Parameters,
    Preparation,
    TerraweaveAlgorithm,
    make_folders,
    numbers_only,
    run_with_files,
)
from .forms import parameter_of, setting_values, settings_help
from .maps import area_of, area_parameter, class_raster, class_raster_parameter, spoken_classes


class SamplePointsAlgorithm(TerraweaveAlgorithm):
    """Makes the layer of points that a person labels to have a map assessed."""

    KEY = "samplepoints"
    TITLE = "Draw reference points"
    GROUP = ("accuracy", "Accuracy")
    SUMMARY = (
        "Draws random points in every class of a map, as many as Olofsson et al. (2014) "
        "recommend, as a layer with an empty class field. Fill it in without looking at the map, "
        "and give the layer to “Assess a map” as its reference."
    )

    def shortHelpString(self) -> str:
        """The help beside the form."""
        return super().shortHelpString() + settings_help(SAMPLE_SETTINGS)

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add parameters and outputs."""
        self.addParameter(
            class_raster_parameter("CLASSES", "Class map", "The map that is to be judged.")
        )
        self.addParameter(area_parameter())
        for setting in SAMPLE_SETTINGS:
            self.addParameter(parameter_of(setting))
        self.addParameter(
            QgsProcessingParameterVectorDestination(
                "POINTS", "Reference points", QgsProcessing.SourceType.TypeVectorPoint
            )
        )
        self.addOutput(QgsProcessingOutputNumber("COUNT", "Number of points"))

    def check(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Refuse maps, areas and outputs that cannot work."""
        on = class_raster(self, "CLASSES", parameters, context)
        area_of(self, on, parameters, context)
        setting_values(self, SAMPLE_SETTINGS, parameters, context)
        path = self.given(parameters, "POINTS", context.expressionContext())
        check_output(path, "POINTS", [on])

    def prepared(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Keep map and area in a form that another thread may use."""
        on = class_raster(self, "CLASSES", parameters, context)
        self._map = PreparedRaster.of(on, context)
        self._classes = spoken_classes(on)
        self._area = area_of(self, on, parameters, context)
        self._settings = setting_values(self, SAMPLE_SETTINGS, parameters, context)

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Draw the points, and have them named when they are loaded."""
        outputs = {"POINTS": self.parameterAsOutputLayer(parameters, "POINTS", context)}
        make_folders(outputs)

        def job(files: Preparation) -> Job:
            on = replace(files.source(self._map, "classes"), classes=self._classes)
            return Job(
                "samplepoints",
                inputs={"CLASSES": (on,)},
                area=files.features(self._area, "area") if self._area else None,
                settings=self._settings,
                outputs=outputs,
            )

        result = run_with_files(context, feedback, 2, job)
        # The worker lays the style, with a list of the classes to choose from, beside the file.
        title = f"Reference points ({self._map.name})"
        announce_layer(context, outputs["POINTS"], title, lambda _: None)
        return {**outputs, **numbers_only(result.values, ("COUNT",))}
