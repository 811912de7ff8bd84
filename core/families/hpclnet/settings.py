"""What a user may set when training and applying an HPCL-Net model."""

from collections.abc import Mapping
from types import MappingProxyType

from ...errors import InputError
from ...segmentation.settings import segmentation_settings
from ...settings import (
    LEARNING_RATE,
    MEASURING,
    Choice,
    Setting,
    Value,
    batch_setting,
    epochs_setting,
)

VERTICAL_UNIT = Setting(
    key="vertical_unit",
    title="Vertical unit",
    help="What one unit of the elevation model is worth. A wrong unit makes every slope wrong, and "
    "the model only fits elevation in the unit that is set here.",
    default="metre",
    choices=(
        Choice("metre", "Metres"),
        Choice("decimetre", "Decimetres"),
        Choice("centimetre", "Centimetres"),
        Choice("foot", "International feet"),
        Choice("us-foot", "US survey feet"),
    ),
    advanced=False,
)

STRIDES: Mapping[str, int] = MappingProxyType({"small": 8, "paper": 16})
"""How many pixels along its edge one hyper-pixel of each network covers."""

NETWORK = (
    Setting(
        key="profile",
        title="Network",
        help="“small” suits a processor and some dozen landslides. “paper” has the encoders that "
        "the paper's group uses; it wants an NVIDIA card, many landslides and a window of 512.",
        default="small",
        choices=(
            Choice("small", "0.6 million weights"),
            Choice("paper", "Encoders like ResNet-50 and ResNet-34, 67 million weights"),
        ),
    ),
    Setting(
        key="working_gsd",
        title="Working pixel size",
        help="The pixel size that the network sees; image and elevation are averaged to it, and "
        "results brought back to the image's pixels. Larger sees more of the surroundings and is "
        "faster; smaller outlines more finely. Images that are coarser keep their own pixel size, "
        "and so do all with 0.",
        default=4.0,
        minimum=0.0,
        maximum=1000.0,
        unit="m",
    ),
    Setting(
        key="window",
        title="Window",
        help="The edge of the square that the network sees at once, in working pixels. It should "
        "hold a whole landslide with its surroundings; larger needs more memory and more labels. A "
        "multiple of 8, for “paper” of 16.",
        default=128,
        minimum=32,
        maximum=1024,
        unit="pixels",
    ),
    Setting(
        key="wide",
        title="Width of relative elevation",
        help="Elevation is seen relative to the mean over a square of this width, so that no "
        "height above the sea is learned. Larger keeps broader landforms; between 16 and 1024 "
        "working pixels are used.",
        default=250.0,
        minimum=10.0,
        maximum=10000.0,
        unit="m",
    ),
    Setting(
        key="variant",
        title="Inputs",
        help="“fusion” is the model. The others are what it is compared with.",
        default="fusion",
        choices=(
            Choice("fusion", "Image and terrain, each with its own encoder"),
            Choice("stacked", "Image and terrain, stacked before one encoder"),
            Choice("image", "The image alone"),
            Choice("dem", "The terrain alone"),
        ),
    ),
)

STEPS = (
    batch_setting(8),
    LEARNING_RATE,
    Setting(
        key="jitter",
        title="Change of light",
        help="How strongly brightness and contrast of the image vary in training. Larger copes "
        "with other seasons and cameras, and trusts the colours less. 0 leaves images as they are.",
        default=1.0,
        minimum=0.0,
        maximum=4.0,
    ),
    Setting(
        key="missing",
        title="Missing inputs",
        help="The share of training windows whose image or terrain is blanked out, so that the "
        "model degrades gently where one of them says nothing. Larger leans less on either.",
        default=0.1,
        minimum=0.0,
        maximum=0.9,
    ),
)

CONTRAST = (
    Setting(
        key="lambda_hpcl",
        title="Weight of the contrastive loss",
        help="How much the hyper-pixels of landslides are pulled together, and pushed away from "
        "background. Larger shapes the features more and the map less; 0 leaves it out.",
        default=0.1,
        minimum=0.0,
        maximum=10.0,
    ),
    Setting(
        key="contrast",
        title="Contrastive learning",
        help="What hyper-pixels are compared with. “full” is the model; the others are for "
        "comparison.",
        default="full",
        choices=(
            Choice("full", "Queues of many batches, filled by a momentum encoder"),
            Choice("queues", "Queues of many batches, filled by the network itself"),
            Choice("batch", "The same batch only"),
        ),
    ),
    Setting(
        key="anchors",
        title="Hyper-pixels that are compared",
        help="Where they lie. At their boundaries landslides are hardest to tell from the slope "
        "around them. “boundary” is the model as published; “both” keeps the background apart, "
        "too.",
        default="boundary",
        choices=(
            Choice("boundary", "Three quarters at boundaries of landslides"),
            Choice("uniform", "Anywhere in landslides"),
            Choice("both", "Three quarters at boundaries, half of all in background"),
        ),
    ),
)

TRAIN_SETTINGS = (
    epochs_setting(30, "An epoch is 30 batches of windows from all scenes."),
    VERTICAL_UNIT,
    *NETWORK,
    *STEPS,
    *CONTRAST,
    *MEASURING,
)
PREDICT_SETTINGS = (
    VERTICAL_UNIT,
    *segmentation_settings(fill_holes=10_000.0, minimum_area=2000.0),
)


def check_training(settings: Mapping[str, Value]) -> None:
    """Refuse a window that the chosen network cannot be laid over.

    Raises:
        InputError: with the nearest windows that can.
    """
    profile, window = str(settings["profile"]), int(settings["window"])
    stride = STRIDES[profile]
    if window % stride:
        low = window // stride * stride
        raise InputError(
            f"The window (WINDOW) is {window}; the network “{profile}” takes multiples of "
            f"{stride}, such as {low} or {low + stride}."
        )
