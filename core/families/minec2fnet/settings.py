"""What a user may set when training, refining and applying a MineC2FNet model."""

from ...segmentation.settings import segmentation_settings
from ...settings import (
    LEARNING_RATE,
    MEASURING,
    Choice,
    Setting,
    batch_setting,
    epochs_setting,
)

_TRUSTS = (
    Choice("pixel", "As sure as the teacher is of the right answer, pixel by pixel"),
    Choice("hard", "Fully where the teacher is right, not at all where it is wrong"),
    Choice("sample", "Each training window by the teacher's mean success in it"),
    Choice("confidence", "As sure as the teacher is of itself, right or wrong"),
    Choice("none", "Everywhere alike: plain distillation"),
)
_FEATURES = (
    Choice("cosine", "The directions of the feature vectors"),
    Choice("attention-map", "Where the features are strong"),
    Choice("squared", "The feature values themselves"),
)
_BOUNDARIES = (
    Choice("soft", "The label fades across the outline"),
    Choice("ring", "Pixels near the outline have no label"),
    Choice("hard", "Outlines count as drawn"),
)

NETWORK = (
    Setting(
        key="profile",
        title="Network",
        help="How large the network is. “small” suits a processor and some dozen scenes; the "
        "others want an NVIDIA card and many scenes.",
        default="small",
        choices=(
            Choice("small", "1 million weights"),
            Choice("resnet18", "14 million weights, widths of ResNet-18"),
            Choice("resnet34", "25 million weights, widths of ResNet-34"),
        ),
    ),
    Setting(
        key="working_gsd",
        title="Working pixel size",
        help="The pixel size that the network sees; images are resampled to it and results brought "
        "back. Larger sees more of the surroundings and is faster; smaller outlines more finely. "
        "0 takes the image's own.",
        default=10.0,
        minimum=0.0,
        maximum=1000.0,
        unit="m",
    ),
    Setting(
        key="window",
        title="Window",
        help="The edge of the square that the network sees at once, in working pixels. Larger "
        "sees more surroundings and needs more memory.",
        default=128,
        minimum=64,
        maximum=1024,
        unit="pixels",
    ),
)

REFLECTANCE = (
    Setting(
        key="reflectance_scale",
        title="Reflectance scale",
        help="Pixel values are multiplied by this, then the offset is added. Keep 1 and 0 where "
        "all images are made alike. Sentinel-2 as delivered: 0.0001.",
        default=1.0,
        minimum=1e-9,
        maximum=1e9,
    ),
    Setting(
        key="reflectance_offset",
        title="Reflectance offset",
        help="Added after the scale. Sentinel-2 products from 2022 on have −0.1, older ones 0; "
        "mixing them without this looks like another landscape to the network.",
        default=0.0,
        minimum=-1e9,
        maximum=1e9,
    ),
)

OTHER_PRODUCT = (
    Setting(
        key="reflectance_scale",
        title="Reflectance scale",
        help="Pixel values are multiplied by this, then the offset is added. 0 takes scale and "
        "offset of the model's own images; give both where this image is written differently.",
        default=0.0,
        minimum=0.0,
        maximum=1e9,
    ),
    Setting(
        key="reflectance_offset",
        title="Reflectance offset",
        help="Added after the scale, if there is one.",
        default=0.0,
        minimum=-1e9,
        maximum=1e9,
    ),
)

COARSE = (
    Setting(
        key="boundary",
        title="Coarse outlines",
        help="How far outlines are believed near their edge. With “soft” and “ring” the teacher "
        "is unsure there instead of wrong.",
        default="soft",
        choices=_BOUNDARIES,
    ),
    Setting(
        key="boundary_uncertainty",
        title="Uncertainty of outlines",
        help="How far coarse outlines may be off, to either side. Larger lets the network find "
        "edges by itself and tells it less about small mines. 0 believes them as drawn.",
        default=60.0,
        minimum=0.0,
        maximum=5000.0,
        unit="m",
    ),
)

DISTILLATION = (
    Setting(
        key="trust",
        title="Trust in the teacher",
        help="Where the student listens to the teacher besides the precise outlines.",
        default="pixel",
        choices=_TRUSTS,
    ),
    Setting(
        key="gamma",
        title="Sharpness of the trust",
        help="The power of the trust. Larger listens only where the teacher is nearly certain.",
        default=1.0,
        minimum=0.0,
        maximum=10.0,
    ),
    Setting(
        key="lambda_prediction",
        title="Weight of the teacher's answers",
        help="How much the student follows the teacher's probabilities. Larger forgets less and "
        "refines less; 0 here and below is plain fine-tuning.",
        default=3.0,
        minimum=0.0,
        maximum=100.0,
    ),
    Setting(
        key="lambda_feature",
        title="Weight of the teacher's features",
        help="How much the student's inner maps stay like the teacher's. Larger forgets less and "
        "refines less.",
        default=3.0,
        minimum=0.0,
        maximum=100.0,
    ),
    Setting(
        key="feature",
        title="Features compared by",
        help="What of the inner maps is compared.",
        default="cosine",
        choices=_FEATURES,
    ),
    Setting(
        key="temperature",
        title="Temperature",
        help="Divides the logits before the teacher's answers are compared. Larger tells more of "
        "the teacher's doubts.",
        default=1.0,
        minimum=0.1,
        maximum=20.0,
    ),
    Setting(
        key="rate_factor",
        title="Learning rate of the student",
        help="As a share of the teacher's. Smaller stays closer to the teacher and suits few "
        "precise outlines; raise it where there are many.",
        default=0.1,
        minimum=0.001,
        maximum=10.0,
    ),
    Setting(
        key="teacher_share",
        title="Share of the teacher in the weights",
        help="The model that is kept is the mean of the student's weights and its teacher's. "
        "Larger keeps more of what the teacher knew of other ground; 0 keeps the student alone.",
        default=0.0,
        minimum=0.0,
        maximum=0.95,
    ),
    Setting(
        key="fine_epochs",
        title="Epochs of the student",
        help="How long to go on with precise outlines. With few of them, long training learns them "
        "by heart and gets worse elsewhere.",
        default=4,
        minimum=1,
        maximum=10000,
    ),
)

STEPS = (
    batch_setting(16),
    LEARNING_RATE,
)

TRAIN_SETTINGS = (
    epochs_setting(20, "An epoch is 20 batches of windows from all scenes."),
    *NETWORK,
    *REFLECTANCE,
    *COARSE,
    *STEPS,
    *DISTILLATION,
    *MEASURING,
)
REFINE_SETTINGS = (
    epochs_setting(4, "An epoch is 20 batches of windows from all scenes."),
    *STEPS,
    *OTHER_PRODUCT,
    *(one for one in DISTILLATION if one.key != "fine_epochs"),
    *MEASURING,
)
# Hysteresis of 0.1 cost 2 points of IoU on held-out tailings (one seed) and 3 to 5 on the sample.
PREDICT_SETTINGS = (
    *segmentation_settings(closing=1, fill_holes=5_000.0, minimum_area=10_000.0),
    *OTHER_PRODUCT,
)
