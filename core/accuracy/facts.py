"""What `assess` and `samplepoints` can be told; QGIS's Python reads this too."""

from ..settings import SEED, Choice, Setting

ASSESS_SETTINGS: tuple[Setting, ...] = (
    Setting(
        key="unmarked",
        title="Ground that no reference feature marks",
        help="“unknown”: nobody looked there, so it does not count. “background”: inside the "
        "surveyed area everything was marked, so unmarked ground is none of the classes; choose "
        "this for footprints of mines, landslides or buildings. Adds scores of outlines and "
        "objects. “auto”: background for maps of a single class that Terraweave made, unknown for "
        "all others.",
        default="auto",
        choices=(
            Choice("auto", "As the map suggests"),
            Choice("unknown", "Nobody looked there"),
            Choice("background", "None of the classes"),
        ),
        advanced=False,
    ),
    Setting(
        key="target",
        title="Class that the reference marks",
        help="The name or value of the map's class that reference features without a class field "
        "stand for. Empty: the one class of the map that is not called background or other.",
        default="",
    ),
    Setting(
        key="sample",
        title="The reference is a random sample",
        help="Adds estimates for the whole map with confidence intervals, where each class "
        "counts by its mapped area (Olofsson et al. 2014). “auto”: points are taken for a sample, "
        "random within each class of the map; polygons and rasters are not.",
        default="auto",
        choices=(
            Choice("auto", "Points are a sample"),
            Choice("yes", "It is a sample"),
            Choice("no", "It is not a sample"),
        ),
    ),
    Setting(
        key="boundary_distance",
        title="Distance of outlines",
        help="How far apart two outlines may be and still agree. Larger forgives more. 0 stands "
        "for two pixels.",
        default=0.0,
        minimum=0.0,
        maximum=10_000.0,
        unit="m",
    ),
    Setting(
        key="block",
        title="Block",
        help="The edge of the blocks in which disagreement is gathered, and which are drawn for "
        "the confidence intervals where the reference has no polygons. Larger is more careful. "
        "0 chooses from the size of the map.",
        default=0,
        minimum=0,
        maximum=65_536,
        unit="pixels",
    ),
    SEED,
)

SAMPLE_SETTINGS: tuple[Setting, ...] = (
    Setting(
        key="standard_error",
        title="Standard error of the overall accuracy",
        help="How precise the estimate of overall accuracy shall be: 0.01 means a 95 % interval "
        "of about ±2 percentage points. Half of it needs four times as many points.",
        default=0.01,
        minimum=0.001,
        maximum=0.2,
        advanced=False,
    ),
    Setting(
        key="expected_accuracy",
        title="Expected user's accuracy",
        help="How much of each class of the map you expect to be right, from 0 to 1: one number "
        "for all classes, or several as “roads=0.7, water=0.95, 0.9”, where the last stands "
        "for the rest. Lower needs more points.",
        default="0.85",
        advanced=False,
    ),
    Setting(
        key="least",
        title="Fewest points in a class",
        help="Rare classes get at least this many points, so that their user's accuracy can be "
        "told; 50 to 100 are usual.",
        default=50,
        minimum=2,
        maximum=10_000,
        unit="points",
        advanced=False,
    ),
    Setting(
        key="number",
        title="Number of points",
        help="How many points to draw altogether; 0 follows from the standard error.",
        default=0,
        minimum=0,
        maximum=1_000_000,
        unit="points",
    ),
    SEED,
)
