"""HPCL-Net: relic landslides from image and elevation. Facts only; torch is elsewhere."""

from ...classes import MapClass
from ...family import ExtraOutput, Family, Recipe, Reference, Role
from .settings import PREDICT_SETTINGS, TRAIN_SETTINGS, check_training


def _recipe() -> Recipe:
    from .recipe import HpclNetRecipe

    return HpclNetRecipe()


HPCLNET = Family(
    key="hpclnet",
    title="Relic landslides from image + DEM (HPCL-Net)",
    purpose="Relic landslides from image and elevation",
    help="Learns to outline old, overgrown landslides from a high-resolution image and an "
    "elevation model. Slope, direction, shade and relative height are derived from the elevation, "
    "whatever its grid and coordinate system; image and terrain are fused late, where they mean "
    "something. The probability in the result is a model's score, not a hazard.",
    roles=(
        Role(
            key="IMAGE",
            title="Image",
            help="A satellite, aerial or drone image with one band or more; the result has the "
            "grid of this image. Images of one training have the same bands in the same order.",
            reference=True,
        ),
        Role(
            key="DEM",
            title="Elevation model",
            help="One band of heights, not a hillshade; a model of the terrain or of the surface. "
            "It may have another grid, pixel size and coordinate system than the image.",
            maximum_bands=1,
            scales=(1,),
        ),
    ),
    labels="Polygons around landslides. What no polygon covers counts as looked at and empty, so "
    "give the surveyed area where the images reach further.",
    train_settings=TRAIN_SETTINGS,
    predict_settings=PREDICT_SETTINGS,
    reference=Reference(
        citation="A Multi-Source Data Fusion-based Semantic Segmentation Model for Relic Landslide "
        "Detection. arXiv 2308.01251, 2023.",
        url="https://arxiv.org/abs/2308.01251",
    ),
    recipe=_recipe,
    binary=True,
    target=MapClass(1, "Relic landslide", "#c0392b"),
    extra_outputs=(
        ExtraOutput(
            key="HILLSHADE",
            title="Hillshade",
            help="The elevation as a shaded relief, lit from several sides, on the pixels of the "
            "image; a backdrop for the map.",
        ),
    ),
    check=check_training,
)
