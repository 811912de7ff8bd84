"""What a run has said, as plain values that any view can show."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Event = Mapping[str, object]


@dataclass(slots=True)
class Story:
    """What a run has said so far; `lines` are pairs of kind (info, warning, error) and text.

    `fraction` is 0–1; `seconds_left` is None while it cannot be told. `epochs` are the numbers of
    each epoch as the worker reported them.
    """

    stage: str = ""
    fraction: float = 0.0
    seconds_left: float | None = None
    epochs: list[Event] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""
