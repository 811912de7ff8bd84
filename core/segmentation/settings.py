"""What a prediction of a segmenting family can be told; QGIS's Python reads this too."""

from ..settings import DEVICE, Choice, Setting


def segmentation_settings(
    *,
    hysteresis: float = 0.0,
    closing: int = 0,
    fill_holes: float = 0.0,
    minimum_area: float = 0.0,
) -> tuple[Setting, ...]:
    """The settings of `predict.predict`, with a family's own defaults; the device comes last.

    `hysteresis` is a difference of probabilities, `closing` in working pixels, both areas in
    square metres.
    """
    return (
        Setting(
            key="threshold",
            title="Threshold (0: the model's own)",
            help="The probability from which ground is taken for the class. Higher maps less and "
            "is surer of it. 0 takes the threshold that did best in training.",
            default=0.0,
            minimum=0.0,
            maximum=0.99,
            advanced=False,
        ),
        Setting(
            key="minimum_area",
            title="Smallest area",
            help="Mapped areas smaller than this are dropped. 0 keeps all.",
            default=minimum_area,
            minimum=0.0,
            unit="m²",
            advanced=False,
        ),
        Setting(
            key="hysteresis",
            title="Hysteresis",
            help="Around ground that reaches the threshold, an area goes on as far as the "
            "probability is at most this much lower (and at least half the threshold). Larger "
            "gives fuller outlines. 0 leaves it out.",
            default=hysteresis,
            minimum=0.0,
            maximum=0.9,
        ),
        Setting(
            key="closing",
            title="Closing",
            help="Gaps of up to twice this many pixels of the network's grid are closed. Larger "
            "joins more. 0 leaves it out.",
            default=closing,
            minimum=0,
            maximum=16,
            unit="pixels",
        ),
        Setting(
            key="fill_holes",
            title="Largest hole to fill",
            help="Holes smaller than this become part of the area around them. A hole that touches "
            "missing data or the edge is left. 0 leaves all.",
            default=fill_holes,
            minimum=0.0,
            unit="m²",
        ),
        Setting(
            key="simplify",
            title="Simplification",
            help="How far, in pixels of the image, a polygon's outline may be from that of its "
            "pixels. Larger gives fewer vertices; 0 keeps the pixels' stairs.",
            default=0.5,
            minimum=0.0,
            maximum=10.0,
            unit="pixels",
        ),
        Setting(
            key="orientations",
            title="Orientations",
            help="See each window in this many of its eight flips and rotations and take the "
            "mean. More is surer and costs as many times more. “auto” takes eight for scenes of "
            "up to a thousand windows of 128 pixels, about two minutes on two cores, and one for "
            "larger ones; the log says which and why.",
            default="auto",
            choices=(
                Choice("auto", "As many as cost little"),
                Choice("1", "As it is"),
                Choice("8", "All flips and rotations"),
            ),
        ),
        Setting(
            key="overlap",
            title="Overlap",
            help="The share of a window's edge that the next window sees, too. More fades windows "
            "into each other more smoothly and takes longer: 0.75 four times as long as 0.5.",
            default=0.5,
            minimum=0.0,
            maximum=0.9,
        ),
        DEVICE,
    )
