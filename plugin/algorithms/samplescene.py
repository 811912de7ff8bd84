"""Makes a small synthetic scene with labels and truth: `samplescene`."""

from functools import partial
from pathlib import Path
from typing import Any

from qgis.core import (
    Qgis,
    QgsCategorizedSymbolRenderer,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputRasterLayer,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsVectorLayer,
)

from ...core.families import FAMILIES
from ...core.job import Job
from ...core.settings import SEED
from ..checks import check_output
from ..job import run_job
from ..outlines import DRAWN, DRAWN_PRECISELY, SURVEYED, outlined
from ..styling import announce_layer, natural_colours, own_style
from .base import Parameters, TerraweaveAlgorithm, make_folders
from .forms import parameter_of, with_help

_SMALLEST, _LARGEST, _USUAL = 64, 4096, 256
_VECTORS = {
    "LABELS": "Labels",
    "AREA": "Surveyed area",
    "FINE_LABELS": "Labels, precise",
    "FINE_AREA": "Surveyed area, precise labels",
}
_OUTLINES = {
    "LABELS": DRAWN,
    "AREA": SURVEYED,
    "FINE_LABELS": DRAWN_PRECISELY,
    "FINE_AREA": SURVEYED,
}


class SampleSceneAlgorithm(TerraweaveAlgorithm):
    """Writes images, labels and truth of an invented landscape to a folder."""

    KEY = "samplescene"
    TITLE = "Make sample scene"
    GROUP = ("try", "Try out")
    SUMMARY = (
        "Makes a small invented landscape with images, labels and the true map, to try a family "
        "without data of one's own."
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add parameters and outputs."""
        keys = list(FAMILIES)
        family = QgsProcessingParameterEnum(
            "FAMILY", "Family", options=keys, defaultValue=keys[0], usesStaticStrings=True
        )
        purposes = "\n".join(f"{one.key}: {one.purpose}." for one in FAMILIES.values())
        self.addParameter(with_help(family, f"The family that the scene is for.\n{purposes}"))
        size = QgsProcessingParameterNumber(
            "SIZE",
            "Size [pixels]",
            type=Qgis.ProcessingNumberParameterType.Integer,
            defaultValue=_USUAL,
            minValue=_SMALLEST,
            maxValue=_LARGEST,
        )
        self.addParameter(with_help(size, "Rows and columns of the scene's reference image."))
        self.addParameter(parameter_of(SEED))
        load = QgsProcessingParameterBoolean("LOAD", "Load the layers", defaultValue=True)
        self.addParameter(with_help(load, "Add images, labels and truth to the project."))
        self.addParameter(QgsProcessingParameterFolderDestination("FOLDER", "Folder"))
        for key, title in _rasters().items():
            self.addOutput(QgsProcessingOutputRasterLayer(key, title))
        for key, title in _VECTORS.items():
            self.addOutput(QgsProcessingOutputVectorLayer(key, title))

    def check(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Refuse a folder that cannot be written to."""
        folder = self.given(parameters, "FOLDER", context.expressionContext())
        check_output(str(Path(folder, "scene")) if folder else "", "FOLDER", [])

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Make the scene and return the path of each part."""
        folder = self.parameterAsFileOutput(parameters, "FOLDER", context)
        make_folders({"FOLDER": str(Path(folder, "scene"))})
        settings = {
            "size": self.parameterAsInt(parameters, "SIZE", context),
            "seed": self.parameterAsInt(parameters, "SEED", context),
        }
        family = self.parameterAsEnumString(parameters, "FAMILY", context)
        job = Job("sample", family, settings=settings, outputs={"FOLDER": folder})
        result = run_job(job, feedback)
        parts = {key: str(path) for key, path in result.values.items()}
        missing = [path for path in parts.values() if not Path(path).is_file()]
        if missing or not parts:
            raise QgsProcessingException(f"The sample scene in “{folder}” is incomplete.")
        if self.parameterAsBoolean(parameters, "LOAD", context):
            self._load(parts, context)
        return {"FOLDER": folder, **parts}

    def _load(self, parts: dict[str, str], context: QgsProcessingContext) -> None:
        if context.project() is None:
            return
        titles = {**_rasters(), **_VECTORS}
        for key, path in parts.items():
            details = QgsProcessingContext.LayerDetails(
                f"Sample: {titles.get(key, _spoken(key))}", context.project(), key
            )
            context.addLayerToLoadOnCompletion(path, details)
            style = partial(_outlines, key) if key in _VECTORS else natural_colours
            announce_layer(context, path, details.name, style)


def _outlines(key: str, layer: QgsMapLayer) -> None:
    """Draw areas, and labels of a single class, as outlines; others as their file has it."""
    # QGIS gives vectors a style at random, also where one lies beside the file.
    own_style(layer)
    known = layer.renderer() if isinstance(layer, QgsVectorLayer) else None
    several = isinstance(known, QgsCategorizedSymbolRenderer) and len(known.categories()) > 1
    if not several:
        outlined(_OUTLINES[key], layer)


def _rasters() -> dict[str, str]:
    """Ids and titles of the images that any family looks at, and of the truth."""
    roles = {role.key: role.title for family in FAMILIES.values() for role in family.roles}
    return {**roles, "TRUTH": "Truth"}


def _spoken(key: str) -> str:
    return key.capitalize().replace("_", " ")
