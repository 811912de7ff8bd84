"""From the settings to the network's architecture."""

from collections.abc import Mapping

from ...settings import Value
from .architecture import Architecture

PRESETS: Mapping[str, Mapping[str, Value]] = {
    "small-labels": {
        "window": 8, "levels": 1, "fusion": "convex", "head": "centre", "dropout": 0.2,
    },
    "published": {
        "window": 16, "levels": 2, "fusion": "published", "head": "published", "dropout": 0.0,
    },
}  # fmt: skip


def architecture(
    settings: Mapping[str, Value], *, ms_bands: int, ratio: int, classes: int
) -> Architecture:
    """The architecture that preset and single settings ask for; single settings win."""
    chosen = {
        key: value if settings.get(key, "preset") == "preset" else settings[key]
        for key, value in PRESETS[str(settings["preset"])].items()
    }
    return Architecture(
        ms_bands=ms_bands,
        ratio=ratio,
        window=int(chosen["window"]),
        levels=int(chosen["levels"]),
        fusion=str(chosen["fusion"]),
        head=str(chosen["head"]),
        classes=classes,
        dropout=float(chosen["dropout"]),
    )
