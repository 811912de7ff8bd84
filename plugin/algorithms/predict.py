"""Applies a model of one family to a whole scene: `predictdas2f` and its siblings."""

from functools import partial
from typing import Any

from qgis.core import (
    Qgis,
    QgsCoordinateTransform,
    QgsCsException,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
    QgsRasterLayer,
)

from ...core.card import Card
from ...core.errors import InputError
from ...core.family import Family
from ...core.job import Extent, Job
from ...ui.words import tr
from ..checks import check_card_bands, check_images, check_model, check_output
from ..outlines import FOUND, outlined
from ..sources import PreparedRaster, wkt
from ..styling import (
    Style,
    announce_layer,
    class_raster_style,
    confidence_style,
    polygon_style,
    probability_style,
    shade_style,
)
from .base import (
    Parameters,
    Preparation,
    TerraweaveAlgorithm,
    make_folders,
    numbers_only,
    run_with_files,
)
from .forms import family_help, parameter_of, setting_values, with_help

_OUTPUTS = ("CLASSES", "CONFIDENCE", "POLYGONS")
_NUMBERS = (("PIXELS", "Classified pixels"), ("POLYGON_COUNT", "Polygons"))
_BINARY_NUMBERS = (*_NUMBERS, ("AREA_HA", "Area of the class (ha)"))


class PredictAlgorithm(TerraweaveAlgorithm):
    """Maps a scene with a model of `family`."""

    GROUP = ("predict", "Predict")

    def __init__(self, family: Family) -> None:
        """The algorithm `predict` + the family's key."""
        super().__init__()
        self.family = family
        self.KEY = f"predict{family.key}"
        self.TITLE = f"Predict: {family.title}"
        self.SUMMARY = f"{family.purpose}: applies a trained model to a whole scene."

    def createInstance(self) -> "PredictAlgorithm":
        """A fresh copy."""
        return PredictAlgorithm(self.family)

    def shortHelpString(self) -> str:
        """The help beside the form."""
        return family_help(self.family, self.SUMMARY, self.family.predict_settings)

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add parameters and outputs."""
        model = QgsProcessingParameterFile(
            "MODEL",
            "Model",
            behavior=Qgis.ProcessingFileParameterBehavior.File,
            fileFilter="Terraweave model (*.safetensors)",
        )
        trainer = f"A model file that “train{self.family.key}” wrote."
        self.addParameter(with_help(model, trainer))
        for role in self.family.roles:
            layer = QgsProcessingParameterRasterLayer(role.key, role.title)
            self.addParameter(with_help(layer, role.help))
        extent = QgsProcessingParameterExtent("EXTENT", "Extent", optional=True)
        self.addParameter(with_help(extent, "Map this part only; the whole scene where empty."))
        for setting in self.family.predict_settings:
            self.addParameter(parameter_of(setting))
        self.addParameter(QgsProcessingParameterRasterDestination("CLASSES", "Class map"))
        self.addParameter(
            QgsProcessingParameterRasterDestination(
                "CONFIDENCE", "Confidence", optional=True, createByDefault=False
            )
        )
        self.addParameter(
            QgsProcessingParameterVectorDestination(
                "POLYGONS",
                "Polygons",
                QgsProcessing.SourceType.TypeVectorPolygon,
                optional=True,
                createByDefault=False,
            )
        )
        for extra in self.family.extra_outputs:
            raster = QgsProcessingParameterRasterDestination(
                extra.key, extra.title, optional=True, createByDefault=False
            )
            self.addParameter(with_help(raster, extra.help))
        for name, title in self._numbers:
            self.addOutput(QgsProcessingOutputNumber(name, title))

    def check(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Refuse models, images, extents and outputs that cannot work."""
        model = self.parameterAsString(parameters, "MODEL", context)
        card = check_model(model, self.family)
        images = self._images(parameters, context)
        single = {role: [layer] for role, layer in images.items()}
        check_images(self.family, single, context.transformContext())
        check_card_bands(card, images)
        setting_values(self, self.family.predict_settings, parameters, context)
        self._extent(parameters, context, images[self.family.reference_role.key])
        for name in self._outputs:
            path = self.given(parameters, name, context.expressionContext())
            check_output(path, name, [*images.values(), model])

    def prepared(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Keep images, extent and card in a form that another thread may use."""
        images = self._images(parameters, context)
        self._model = self.parameterAsString(parameters, "MODEL", context)
        self._card = check_model(self._model, self.family)
        self._inputs = {role: PreparedRaster.of(layer, context) for role, layer in images.items()}
        main = images[self.family.reference_role.key]
        self._scene_name = main.name()
        self._job_extent = self._extent(parameters, context, main)
        self._settings = setting_values(self, self.family.predict_settings, parameters, context)

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Map the scene, and have the results named and styled when they are loaded."""
        outputs = {
            name: self.parameterAsOutputLayer(parameters, name, context)
            for name in self._outputs
            if parameters.get(name) is not None
        }
        outputs = {name: path for name, path in outputs.items() if path}
        make_folders(outputs)

        def job(files: Preparation) -> Job:
            return Job(
                "predict",
                self.family.key,
                inputs={
                    role: (files.source(one, role.lower()),) for role, one in self._inputs.items()
                },
                model=self._model,
                extent=self._job_extent,
                settings=self._settings,
                outputs=outputs,
            )

        result = run_with_files(context, feedback, len(self._inputs), job)
        self._announce(outputs, self._card, context)
        return {**outputs, **numbers_only(result.values, tuple(name for name, _ in self._numbers))}

    def _announce(self, outputs: dict[str, str], card: Card, context: QgsProcessingContext) -> None:
        looks = self._looks(card)
        backdrops = {one.key for one in self.family.extra_outputs}
        for name, path in outputs.items():
            title, style = looks[name]
            announce_layer(
                context, path, f"{title} ({self._scene_name})", style, below=name in backdrops
            )

    def _looks(self, card: Card) -> dict[str, tuple[str, Style]]:
        """What each output is called, and how it is drawn.

        Maps of a single class have no colour for their background.
        """
        subject = tr(self.family.purpose.split(" from ")[0])
        binary = self.family.binary
        sure = (
            ("probability", probability_style()) if binary else ("confidence", confidence_style())
        )
        areas = (
            ("areas", partial(outlined, FOUND))
            if binary
            else ("polygons", polygon_style(card.classes))
        )
        return {
            "CLASSES": (subject, class_raster_style(card.classes)),
            "CONFIDENCE": (f"{subject}, {tr(sure[0])}", sure[1]),
            "POLYGONS": (f"{subject}, {tr(areas[0])}", areas[1]),
            **{one.key: (tr(one.title), shade_style()) for one in self.family.extra_outputs},
        }

    @property
    def _outputs(self) -> tuple[str, ...]:
        """The names of all outputs that are layers."""
        return (*_OUTPUTS, *(one.key for one in self.family.extra_outputs))

    @property
    def _numbers(self) -> tuple[tuple[str, str], ...]:
        """The number outputs."""
        return _BINARY_NUMBERS if self.family.binary else _NUMBERS

    def _images(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> dict[str, QgsRasterLayer]:
        """The raster layer of each role."""
        images = {}
        for role in self.family.roles:
            layer = self.parameterAsRasterLayer(parameters, role.key, context)
            if layer is None or not layer.isValid():
                raise InputError(
                    f"{role.title} ({role.key}) is missing or cannot be opened; choose a raster "
                    "layer that QGIS can show."
                )
            images[role.key] = layer
        return images

    def _extent(
        self, parameters: Parameters, context: QgsProcessingContext, main: QgsRasterLayer
    ) -> Extent | None:
        """The wanted rectangle, or None for the whole scene.

        Raises:
            InputError: it does not touch the scene.
        """
        box = self.parameterAsExtent(parameters, "EXTENT", context)
        if parameters.get("EXTENT") in (None, "") or box.isNull():
            return None
        crs = self.parameterAsExtentCrs(parameters, "EXTENT", context)
        crs = crs if crs.isValid() else main.crs()
        try:
            there = QgsCoordinateTransform(
                crs, main.crs(), context.transformContext()
            ).transformBoundingBox(box)
        except QgsCsException as error:
            raise InputError(
                f"The extent cannot be brought into the coordinate system of “{main.name()}”; "
                "draw it on the map again."
            ) from error
        if box.isEmpty() or not there.intersects(main.extent()):
            raise InputError(
                f"The extent (EXTENT) {box.toString(6)} does not touch “{main.name()}”; draw it "
                "over the scene, or leave it empty for the whole scene."
            )
        return Extent(box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum(), wkt(crs))
