"""DAS²F: land cover from multispectral and panchromatic images. Facts only; torch is elsewhere."""

from ...family import Family, Recipe, Reference, Role
from ...settings import (
    DEVICE,
    LEARNING_RATE,
    MEASURING,
    Choice,
    Setting,
    batch_setting,
    epochs_setting,
)

_AS_PRESET = Choice("preset", "What the preset says")


def _recipe() -> Recipe:
    from .recipe import Das2fRecipe

    return Das2fRecipe()


DAS2F = Family(
    key="das2f",
    title="Land cover from MS + PAN (DAS²F)",
    purpose="Land cover from multispectral and panchromatic images",
    help="Learns land-cover classes from a multispectral image, a panchromatic image of the same "
    "scene, and labelled polygons, points or a class raster. Every multispectral pixel is "
    "classified from a window of both images around it, so that both colour and fine texture "
    "count. Pixels without a label are ignored, never taken for background.",
    roles=(
        Role(
            key="MS",
            title="Multispectral image",
            help="Colour (and infrared) bands; the result has the grid of this image.",
            reference=True,
        ),
        Role(
            key="PAN",
            title="Panchromatic image",
            help="One band of the same scene, two or four times finer than the multispectral "
            "image. Other grids and coordinate systems are resampled and the log says so.",
            maximum_bands=1,
            scales=(2, 4),
        ),
    ),
    labels="Polygons or points with a class field, or a raster of class numbers (0 = unlabelled).",
    train_settings=(
        epochs_setting(
            40, "An epoch is 50 steps of 32 windows, drawn so that rare classes take part."
        ),
        Setting(
            key="preset",
            title="Configuration",
            help="“small-labels” suits a few hundred to some ten thousand labelled pixels: small "
            "windows, one level. “published” is the network of the paper: 16×16 windows, two "
            "levels, 17 million weights; some ten times slower.",
            default="small-labels",
            choices=(
                Choice("small-labels", "8×8 windows, one level, convex fusion, centre head"),
                Choice("published", "16×16 windows, two levels, published fusion and head"),
            ),
        ),
        Setting(
            key="window",
            title="Window",
            help="The edge of the square, in multispectral pixels, that the network sees around "
            "each pixel. Larger sees more context, costs four times as much and needs more "
            "labels.",
            default="preset",
            choices=(_AS_PRESET, Choice("8", "8×8 pixels"), Choice("16", "16×16 pixels")),
            unit="MS pixels",
        ),
        Setting(
            key="levels",
            title="Levels",
            help="How often the two images exchange what they have in common. Two costs twice as "
            "much as one.",
            default="preset",
            choices=(_AS_PRESET, Choice("1", "One exchange"), Choice("2", "Two exchanges")),
        ),
        Setting(
            key="fusion",
            title="Fusion",
            help="How the features of both images are put together. “convex” weighs them; "
            "“published” multiplies them, as the paper's code does.",
            default="preset",
            choices=(
                _AS_PRESET,
                Choice("convex", "A weighted mean"),
                Choice("published", "The product of the paper's code"),
            ),
        ),
        Setting(
            key="head",
            title="Head",
            help="What the class is read from. “centre” looks at the labelled pixel, its "
            "neighbours and the window's mean; “linear” and “published” look at every position.",
            default="preset",
            choices=(
                _AS_PRESET,
                Choice("centre", "Centre token, 3×3 mean and window mean"),
                Choice("pooled", "The window's mean"),
                Choice("linear", "One linear map of all tokens"),
                Choice("published", "Two linear maps of all tokens"),
            ),
        ),
        batch_setting(32, least=2),
        LEARNING_RATE,
        *MEASURING,
    ),
    predict_settings=(
        Setting(
            key="mode",
            title="Mode",
            help="“exact” classifies every pixel from its own window. “adaptive” looks at every "
            "fourth pixel first and closer only where neighbours disagree or are unsure. “stride” "
            "classifies every N-th pixel in both directions and fills the pixels between: N² times "
            "faster, and objects narrower than N pixels may be missed. “preview” is a stride of "
            "16. “auto” is exact up to 250,000 pixels and adaptive above. All but “exact” compare "
            "a random sample with it and say how far they agree.",
            default="auto",
            choices=(
                Choice("auto", "Exact for small scenes, adaptive for large ones"),
                Choice("exact", "Every pixel"),
                Choice("adaptive", "Closer where it is needed"),
                Choice("stride", "Every N-th pixel, filled between"),
                Choice("preview", "A first look"),
            ),
            advanced=False,
        ),
        Setting(
            key="stride",
            title="Stride",
            help="N of the mode “stride”. Larger is faster and coarser.",
            default=4,
            minimum=2,
            maximum=256,
            unit="MS pixels",
        ),
        Setting(
            key="orientations",
            title="Orientations",
            help="Classify each window in this many of its eight flips and rotations and take the "
            "mean. More is a little surer and costs as many times more.",
            default="1",
            choices=(
                Choice("1", "As it is"),
                Choice("8", "All flips and rotations"),
            ),
        ),
        Setting(
            key="minimum_area",
            title="Smallest polygon",
            help="Polygons smaller than this join their largest neighbour. 0 keeps all.",
            default=0.0,
            minimum=0.0,
            unit="m²",
        ),
        DEVICE,
    ),
    reference=Reference(
        citation="A Diff-Attention Aware State Space Fusion Model for Remote Sensing Image "
        "Classification. IEEE Transactions on Geoscience and Remote Sensing 63, 2025, 4421315.",
        url="https://arxiv.org/abs/2504.16665",
    ),
    recipe=_recipe,
    imports_checkpoints=True,
)
