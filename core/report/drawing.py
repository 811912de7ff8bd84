"""Curves and maps as inline SVG whose colours follow the page, light or dark."""

import io
import re
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..training.split import Block

# Drawn in colours nobody would choose, which are then replaced by variables of the page's style.
INK, MUTED, LINE = "#010101", "#020202", "#030303"
HELD = "#040404"
_VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", HELD: "--held"}
# The same three colours in pixels, where a variable cannot reach; readable on white and on black.
_TRAIN_RGB, _HELD_RGB, _DROPPED_RGB = (0, 114, 178), (230, 159, 0), (204, 121, 167)
_FAINT = 90
_STYLE = {
    "svg.fonttype": "none", "text.parse_math": False, "font.size": 9.0, "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED, "text.color": INK, "xtick.color": LINE, "ytick.color": LINE,
    "xtick.labelcolor": MUTED, "ytick.labelcolor": MUTED, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": LINE, "grid.linewidth": 0.5,
    "axes.axisbelow": True, "figure.facecolor": "none", "axes.facecolor": "none",
    "savefig.facecolor": "none", "lines.linewidth": 1.8, "legend.frameon": False,
    "legend.fontsize": 8.5, "axes.titlesize": 9.5, "axes.titlelocation": "left",
}  # fmt: skip
_MAP_PIXELS = 480
_TITLES = {
    "loss": "training loss",
    "validation_loss": "validation loss",
    "overall_accuracy": "overall accuracy",
    "average_accuracy": "average accuracy",
    "macro_f1": "macro-F1",
    "mean_iou": "mean IoU",
    "iou": "IoU",
    "f1": "F1",
    "kappa": "kappa",
}
_LINES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
# From nothing wrong to much wrong; its lightness falls steadily, so that it survives grey print.
# The start lets the page shine through, so that it is quiet on white and on black.
_RAMP = ("#8a93a03c", "#f0b86aff", "#d9603bff", "#9b1d45ff")
_NOT_CURVES = frozenset({"epoch", "epochs", "threshold", "event"})


def curves(epochs: Sequence[Mapping[str, float | int | None]], kept: int | None) -> Markup:
    """Loss and scores over the epochs, side by side, with the kept epoch marked.

    Each epoch has the numbers that the training reported; keys with “loss” go to the left.
    """
    keys = [
        key for key in dict.fromkeys(k for one in epochs for k in one) if _drawable(key, epochs)
    ]
    panels = [("Loss", [key for key in keys if "loss" in key])]
    panels.append(("Score on validation blocks", [key for key in keys if "loss" not in key]))
    panels = [(title, some) for title, some in panels if some]
    if not panels:
        return Markup("")
    with rc_context(_STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(4.1 * len(panels), 2.6), layout="constrained")
        for axes, (title, some) in zip(
            np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True
        ):
            _panel(axes, title, some, epochs, kept)
        return _svg(figure, "curves", "Loss and scores by epoch")


def _drawable(key: str, epochs: Sequence[Mapping[str, float | int | None]]) -> bool:
    return key not in _NOT_CURVES and any(isinstance(one.get(key), int | float) for one in epochs)


def _panel(
    axes: Axes,
    title: str,
    keys: Sequence[str],
    epochs: Sequence[Mapping[str, float | int | None]],
    kept: int | None,
) -> None:
    numbers = [int(one.get("epoch") or place + 1) for place, one in enumerate(epochs)]
    for place, key in enumerate(keys):
        values = [np.nan if one.get(key) is None else float(one[key] or 0.0) for one in epochs]
        axes.plot(
            numbers, values, color=_LINES[place % len(_LINES)],
            label=_TITLES.get(key, key.replace("_", " ")),
            marker="o" if len(epochs) < 3 else "",
        )  # fmt: skip
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(numbers) == 1:
        axes.set_xlim(numbers[0] - 1, numbers[0] + 1)
    if kept is not None:
        axes.axvline(
            kept, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), label=f"kept: epoch {kept}"
        )
    axes.legend()


def split_map(
    shape: tuple[int, int],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    parts: NDArray[np.int64],
    blocks: Sequence[Block],
    picture: NDArray[np.uint8] | None,
    name: str,
    faint: NDArray[np.bool_] | None = None,
) -> Markup:
    """Where the labelled pixels of one scene went, over a quiet picture of the scene.

    `shape` is the scene in pixels and `parts` 0 for training, 1 for validation, 2 for left out.
    `picture` is (row, column, 3) and may be coarser than the scene. Pixels that are `faint` let it
    through.
    """
    factor = max(1, -(-max(shape) // _MAP_PIXELS))
    if faint is None:
        faint = np.zeros(len(parts), np.bool_)
    image = _painted(shape, rows, columns, parts, factor, faint)
    height, width = shape
    scale = 4.0 / max(height, width)
    with rc_context(_STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(max(width * scale, 0.4), max(height * scale, 0.4)))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        box = (0.0, float(width), float(height), 0.0)
        if picture is not None:
            axes.imshow(_quiet(picture), extent=box, interpolation="none", aspect="auto")
        whole = (0.0, image.shape[1] * factor * 1.0, image.shape[0] * factor * 1.0, 0.0)
        axes.imshow(image, extent=whole, interpolation="none", aspect="auto")
        for block in blocks:
            axes.add_patch(_outline(block, shape))
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        return _svg(figure, name, "Map of training, validation and left-out pixels")


def block_map(
    shape: tuple[int, int],
    size: int,
    shares: Mapping[tuple[int, int], float],
    worst: Sequence[tuple[int, int, int]],
) -> Markup:
    """Blocks of `size` pixels, by their first row and column, coloured by what is wrong in them.

    `worst` are row, column and rank of blocks that carry a number.
    """
    height, width = shape
    cells = (-(-height // size), -(-width // size))
    image = np.full(cells, np.nan)
    for (row, column), share in shares.items():
        image[row // size, column // size] = share
    scale = 5.6 / max(height, width)
    with rc_context(_STYLE):  # type: ignore[arg-type]
        figure = Figure(
            figsize=(max(width * scale, 1.2) + 0.8, max(height * scale, 1.2)), layout="constrained"
        )
        axes = figure.subplots()
        axes.grid(visible=False)
        extent = (0.0, cells[1] * size * 1.0, cells[0] * size * 1.0, 0.0)
        top = max(float(np.nanmax(image)), 1e-6)
        ramp = LinearSegmentedColormap.from_list("wrong", _RAMP)
        drawn = axes.imshow(image, extent=extent, cmap=ramp, vmin=0, vmax=top, interpolation="none")
        for row, column, rank in worst:
            axes.text(
                column + size / 2, row + size / 2, str(rank), ha="center", va="center",
                color=_legible(shares.get((row, column), 0.0) / top), fontsize=7,
                fontweight="bold",
            )  # fmt: skip
        axes.set(xlim=(0, width), ylim=(height, 0), xlabel="column", ylabel="row")
        figure.colorbar(drawn, ax=axes, label="share of wrong pixels", shrink=0.8)
        return _svg(figure, "blocks", "Map of the share of wrong pixels by block")


def _legible(part: float) -> str:
    """The colour of a number on the ramp at `part` (0–1)."""
    if part < 0.15:
        return INK
    return "#1d2530" if part < 0.6 else "#ffffff"


def _outline(block: Block, shape: tuple[int, int]) -> Rectangle:
    rows = min(block.rows, shape[0] - block.row)
    columns = min(block.columns, shape[1] - block.column)
    held = block.validation
    return Rectangle(
        (block.column, block.row), columns, rows, fill=False,
        edgecolor=HELD if held else MUTED, linewidth=1.3 if held else 0.4,
        zorder=4 if held else 3,
    )  # fmt: skip


def _painted(
    shape: tuple[int, int],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    parts: NDArray[np.int64],
    factor: int,
    faint: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    size = tuple(-(-edge // factor) for edge in shape)
    image = np.zeros((*size, 4), np.uint8)
    # The rarer part last, so that it shows where several pixels share a dot.
    for quiet, opacity in ((True, _FAINT), (False, 255)):
        for part, color in ((2, _DROPPED_RGB), (0, _TRAIN_RGB), (1, _HELD_RGB)):
            chosen = (parts == part) & (faint == quiet)
            image[rows[chosen] // factor, columns[chosen] // factor] = (*color, opacity)
    return image


def _quiet(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey, flat version of the picture, on which coloured labels stand out in any theme."""
    step = max(1, -(-max(picture.shape[:2]) // _MAP_PIXELS))
    grey = picture[::step, ::step].astype(np.float32).mean(-1)
    return np.repeat((110 + grey * (120 / 255)).astype(np.uint8)[..., None], 3, -1)


def _svg(figure: Figure, name: str, title: str) -> Markup:
    """The figure as an SVG element with its own ids, page colours and an accessible title."""
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None,
                                                       "Format": None, "Type": None})  # fmt: skip
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    for pattern in (r'(\bid=")', r'(href="#)', r"(url\(#)"):
        text = re.sub(pattern, rf"\g<1>{name}-", text)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    text = text.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
    # matplotlib escaped every text in it, and the name and title are ours.
    return Markup(text)  # noqa: S704  # nosec B704
