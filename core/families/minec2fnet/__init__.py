"""MineC2FNet: mining footprints, coarse to fine. Facts only; torch is elsewhere."""

from ...classes import MapClass
from ...family import Family, Recipe, Reference, Refinement, Role
from .settings import PREDICT_SETTINGS, REFINE_SETTINGS, TRAIN_SETTINGS


def _recipe() -> Recipe:
    from .recipe import MineC2FNetRecipe

    return MineC2FNetRecipe()


MINEC2FNET = Family(
    key="minec2fnet",
    title="Mining footprints (MineC2FNet)",
    purpose="Mining footprint from multispectral images",
    help="Learns to outline mines in multispectral images. A first network, the teacher, learns "
    "from many coarse outlines; a second, the student, goes on with a few precise ones and keeps "
    "what the teacher knows wherever the precise outlines do not contradict it. The coarse data "
    "are not needed any more in the second stage.",
    roles=(
        Role(
            key="IMAGE",
            title="Multispectral image",
            help="Bands of reflectance, for instance blue, green, red and near infrared of "
            "Sentinel-2; the result has the grid of this image. Images of one training have the "
            "same bands in the same order.",
            reference=True,
            minimum_bands=1,
        ),
    ),
    labels="Polygons around mines. What no polygon covers counts as looked at and empty, so give "
    "the surveyed area where the images reach further.",
    train_settings=TRAIN_SETTINGS,
    predict_settings=PREDICT_SETTINGS,
    reference=Reference(
        citation="Coarse-to-Fine Domain Incremental Learning with Attentive Distillation for "
        "Mining Footprint Segmentation in Multispectral Imagery. IJCAI 2026.",
        url="https://arxiv.org/abs/2605.24460",
    ),
    recipe=_recipe,
    binary=True,
    target=MapClass(1, "Mine", "#d95f02"),
    refinement=Refinement(
        title="Refine: Mining footprints (MineC2FNet)",
        help="Goes on from any earlier model, the teacher, with few precise outlines of your own. "
        "Where the teacher is right the new model keeps to it, where the outlines contradict it "
        "they alone count. The report tells what was gained on the precise part and, where the "
        "earlier scenes are given, what was forgotten there.",
        labels="Precise outlines of mines, twenty or more. What no outline covers inside the "
        "surveyed area counts as looked at and empty.",
        settings=REFINE_SETTINGS,
    ),
)
