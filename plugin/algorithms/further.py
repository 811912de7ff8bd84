"""Further scenes with labels of their own, for families that learn in two stages."""

from collections.abc import Iterator

from qgis.core import (
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterMapLayer,
    QgsRasterLayer,
    QgsVectorLayer,
)

from ...core.errors import InputError
from ...core.family import Family
from ...core.job import Features, Source
from ..checks import check_images, check_labels, telling_field
from ..sources import PreparedFeatures, PreparedRaster
from .base import Parameters, Preparation
from .forms import with_help
from .scenes import ImagesParameter, raster_layers

_LABEL_TYPES = [
    QgsProcessing.SourceType.TypeVectorPolygon,
    QgsProcessing.SourceType.TypeRaster,
]


def prepared_area(
    algorithm: QgsProcessingAlgorithm,
    parameters: Parameters,
    name: str,
    context: QgsProcessingContext,
) -> PreparedFeatures | None:
    """The surveyed area of the parameter `name`, None where none was given."""
    area = algorithm.parameterAsSource(parameters, name, context)
    if area is None:
        return None
    layer = algorithm.parameterAsVectorLayer(parameters, name, context)
    return PreparedFeatures.of_vector(area, layer=layer)


class FurtherScenes:
    """Images, labels and a surveyed area under names that begin with `prefix`; all optional."""

    def __init__(
        self, family: Family, prefix: str, adjective: str, help_text: str, labels_help: str = ""
    ) -> None:
        """`adjective` (“precise”, “earlier”) tells them from the tool's first scenes.

        `labels_help` is what a user should know of the labels besides the `help_text` of all.
        """
        self.family = family
        self.prefix = prefix
        self.adjective = adjective
        self._help = help_text
        self._labels_help = f"{help_text} {labels_help}".strip()
        self._images: dict[str, list[PreparedRaster]] = {}
        self._features: dict[str, PreparedFeatures] = {}

    def parameters(self) -> Iterator[QgsProcessingParameterDefinition]:
        """What to add to the tool's form."""
        for role in self.family.roles:
            title = f"{role.title}, {self.adjective} labels"
            layers = ImagesParameter(self._name(role.key), title, optional=True)
            text = f"The images of {self._name('LABELS')}; give both, or none. {self._help}"
            yield with_help(layers, text, advanced=True)
        labels = QgsProcessingParameterMapLayer(
            self._name("LABELS"),
            f"Labels, {self.adjective}",
            optional=True,
            types=_LABEL_TYPES,
        )
        yield with_help(labels, self._labels_help, advanced=True)
        area = QgsProcessingParameterFeatureSource(
            self._name("AREA"),
            f"Surveyed area, {self.adjective} labels",
            [QgsProcessing.SourceType.TypeVectorPolygon],
            optional=True,
        )
        text = "Where these labels are complete; outside it pixels are unlabelled."
        yield with_help(area, text, advanced=True)

    def check(
        self,
        algorithm: QgsProcessingAlgorithm,
        parameters: Parameters,
        context: QgsProcessingContext,
    ) -> list[QgsMapLayer]:
        """The layers that were given, none or all that are needed.

        Raises:
            InputError: one is missing, or they do not fit each other.
        """
        images, labels = self._given(algorithm, parameters, context)
        if labels is None and not any(images.values()):
            self._refuse_lonely_area(algorithm, parameters, context)
            return []
        reference = self.family.reference_role
        if labels is None:
            raise InputError(
                f"{self._name('LABELS')} is missing, although {self._name(reference.key)} is "
                "given; give both, or none."
            )
        for role in self.family.roles:
            if not images[role.key]:
                raise InputError(
                    f"{self._name(role.key)} is missing, although {self._name('LABELS')} is "
                    "given; give both, or none."
                )
        transforms = context.transformContext()
        check_images(self.family, images, transforms)
        field = self._field(algorithm, parameters, context, labels)
        check_labels(self.family, labels, field, images[reference.key], transforms)
        return [*(one for some in images.values() for one in some), labels]

    def _refuse_lonely_area(
        self,
        algorithm: QgsProcessingAlgorithm,
        parameters: Parameters,
        context: QgsProcessingContext,
    ) -> None:
        area = self._name("AREA")
        if algorithm.parameterAsSource(parameters, area, context) is not None:
            raise InputError(
                f"{self._name(self.family.reference_role.key)} and {self._name('LABELS')} are "
                f"missing, although {area} is given; give all three, or none."
            )

    def prepare(
        self,
        algorithm: QgsProcessingAlgorithm,
        parameters: Parameters,
        context: QgsProcessingContext,
    ) -> None:
        """Take what is needed of the layers, in the main thread."""
        images, labels = self._given(algorithm, parameters, context)
        self._features = {}
        self._images = {
            self._name(role): [PreparedRaster.of(one, context) for one in some]
            for role, some in images.items()
            if some and labels is not None
        }
        if labels is None:
            return
        name = self._name("LABELS")
        if isinstance(labels, QgsRasterLayer):
            self._features[name] = PreparedFeatures.of_raster(labels, context)
        else:
            source = algorithm.parameterAsSource(parameters, name, context)
            field = self._field(algorithm, parameters, context, labels)
            found = PreparedFeatures.of_vector(source, field, labels)
            self._features[name] = found.with_notes(telling_field(self.family, labels, field))
        area = prepared_area(algorithm, parameters, self._name("AREA"), context)
        if area is not None:
            self._features[self._name("AREA")] = area

    @property
    def image_names(self) -> tuple[str, ...]:
        """The parameters that take several images."""
        return tuple(self._name(role.key) for role in self.family.roles)

    @property
    def count(self) -> int:
        """How many files are to be written."""
        return sum(len(some) for some in self._images.values()) + len(self._features)

    def inputs(self, files: Preparation) -> dict[str, tuple[Source, ...]]:
        """The images as files."""
        return {
            name: tuple(
                files.source(one, f"{name.lower()}_{number}")
                for number, one in enumerate(some, start=1)
            )
            for name, some in self._images.items()
        }

    def features(self, files: Preparation) -> dict[str, Features]:
        """Labels and area as files."""
        return {name: files.features(one, name.lower()) for name, one in self._features.items()}

    def _field(
        self,
        algorithm: QgsProcessingAlgorithm,
        parameters: Parameters,
        context: QgsProcessingContext,
        labels: QgsMapLayer,
    ) -> str:
        """The tool's class field, where these labels have it, too; else every feature counts."""
        field = algorithm.parameterAsString(parameters, "CLASS_FIELD", context)
        has = isinstance(labels, QgsVectorLayer) and labels.fields().lookupField(field) >= 0
        return field if field and has else ""

    def _name(self, part: str) -> str:
        return f"{self.prefix}_{part}"

    def _given(
        self,
        algorithm: QgsProcessingAlgorithm,
        parameters: Parameters,
        context: QgsProcessingContext,
    ) -> tuple[dict[str, list[QgsRasterLayer]], QgsMapLayer | None]:
        images = {
            role.key: raster_layers(algorithm, parameters, self._name(role.key), context)
            for role in self.family.roles
        }
        return images, algorithm.parameterAsLayer(parameters, self._name("LABELS"), context)
