"""A scene: the images of all roles, seen together on one reference grid."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from ..errors import InputError
from ..family import Role
from ..job import Source
from ..progress import Progress
from .grid import Grid, Window
from .placement import Placed, reason, relation
from .source import Floats, Image, Mask, RasterFacts, raster_environment

Indexes = NDArray[np.intp]

_RATIO_SLACK = 1.1


@dataclass(frozen=True, slots=True)
class Block:
    """What was read: `values` (band, row, column) and `valid` (row, column).

    Missing pixels are 0 in every band, never NaN.
    """

    values: Floats
    valid: Mask


class Scene:
    """Open images on the reference grid; see `open_scene`.

    `grid` is the one that `read` delivers on, `delivery` the reference image's own, on which
    results are wanted.
    """

    def __init__(
        self,
        grid: Grid,
        placed: Mapping[str, Placed],
        scales: Mapping[str, int],
        delivery: Grid | None = None,
    ) -> None:
        """`placed` has every role's image on `grid.refined(scales[role])`."""
        self.grid = grid
        self.delivery = delivery or grid
        self.scales = dict(scales)
        self._placed = dict(placed)

    @property
    def roles(self) -> tuple[str, ...]:
        """The keys of the roles, the reference first."""
        return tuple(self._placed)

    def facts(self, role: str) -> RasterFacts:
        """What is known about the image in `role`."""
        return self._placed[role].image.facts

    def placed(self, role: str, grid: Grid | None = None) -> Placed:
        """The image in `role` as it is read, or as seen on another `grid`.

        `placed(role).image` is the image on its own grid.
        """
        return self._placed[role] if grid is None else Placed(self._placed[role].image, grid)

    def resampled(self, role: str) -> bool:
        """Whether the image in `role` is interpolated onto the grid."""
        return self._placed[role].resampled

    def read(self, role: str, window: Window) -> Block:
        """What `role` sees in `window`, given in pixels of the reference grid.

        The block has `window.rows * scale` × `window.columns * scale` pixels. Where the window
        leaves the grid, the scene is mirrored about the centres of the reference's edge pixels,
        for every role alike, so that all roles keep showing the same ground.

        Raises:
            ResourceError: a file was removed, cut off or changed during the run.
        """
        placed, n = self._placed[role], self.scales[role]
        fine = window.scaled(n)
        if window.within(self.grid.shape):
            return Block(*placed.read(fine))
        rows = mirrored(window.row, window.rows, self.grid.shape.rows, n)
        columns = mirrored(window.column, window.columns, self.grid.shape.columns, n)
        source = _around(rows, columns)
        values, valid = placed.read(source)
        rows, columns = rows[:, None] - source.row, columns - source.column
        return Block(np.ascontiguousarray(values[:, rows, columns]), valid[rows, columns])

    def valid(self, window: Window) -> Mask:
        """Which reference pixels in `window` are valid in the reference image."""
        return self.read(self.roles[0], window).valid


def mirrored(first: int, count: int, length: int, n: int = 1) -> Indexes:
    """Where to read for `count` pixels from `first` on an axis of `length` reference pixels.

    Indexes are those of an axis n times finer (`count * n` of them). Mirroring is about the centre
    of the first and the last reference pixel, without repeating it, as often as needed.
    """
    fine = np.arange(first * n, (first + count) * n)
    coarse, part = fine // n, fine % n
    period = max(2 * (length - 1), 1)
    folded = coarse % period if length > 1 else np.zeros_like(coarse)
    flipped = folded >= length
    folded = np.where(flipped, period - folded, folded)
    if length == 1:
        flipped = coarse % 2 == 1  # one pixel mirrored about itself, again and again
    # Edge pixels are their own mirror images; from inside the scene they are not flipped.
    result: Indexes = folded * n + np.where(flipped, n - 1 - part, part)
    return result


def _around(rows: Indexes, columns: Indexes) -> Window:
    row, column = int(rows.min()), int(columns.min())
    return Window(row, column, int(rows.max()) + 1 - row, int(columns.max()) + 1 - column)


def infer_scale(
    reference: Grid,
    other: Grid,
    allowed: Sequence[int],
    title: str = "The second raster",
) -> int:
    """How many pixels of `other` fit along the edge of one of `reference`, one of `allowed`.

    Raises:
        InputError: the pixel sizes fit none of them within 10 %.
    """
    ratio = pixel_ratio(reference, other)
    best = min(allowed, key=lambda n: abs(np.log(ratio / n)))
    if not 1 / _RATIO_SLACK <= ratio / best <= _RATIO_SLACK:
        wanted = " or ".join(str(n) for n in allowed)
        raise InputError(
            f"{title} has pixels of {other.gsd:.4g} m, {ratio:.3g} times as fine as the "
            f"{reference.gsd:.4g} m of the reference; the model works with {wanted} times. "
            "Resample one of them in QGIS, or choose the image that belongs to the other."
        )
    return int(best)


def pixel_ratio(reference: Grid, other: Grid) -> float:
    """How many times finer the pixels of `other` are along an edge."""
    if reference.same_crs(other):
        between = abs(reference.transform.determinant / other.transform.determinant)
        return float(np.sqrt(between))
    return reference.gsd / other.gsd


@contextmanager
def open_scene(
    inputs: Mapping[str, Source],
    roles: Sequence[Role],
    *,
    progress: Progress,
    scales: Mapping[str, int] | None = None,
    bands: Mapping[str, Sequence[int]] | None = None,
    onto: Callable[[Grid], Grid] | None = None,
) -> Iterator[Scene]:
    """The scene that `inputs` (one image a role) make up, checked; open inside the `with` block.

    `scales` fixes how fine each role is delivered (as a model card says); otherwise the scale is
    found among those that the role allows. `bands` (1-based, in the model's order) picks bands.
    `onto` gives the grid to work on from the reference image's own; without it they are one.
    Everything resampled, and everything that lowers the overlap, is said in the log.

    Raises:
        InputError: an image is missing, has the wrong bands, or does not fit the others.
    """
    ordered = sorted(roles, key=lambda role: not role.reference)
    with ExitStack() as stack:
        stack.enter_context(raster_environment())
        images: dict[str, Image] = {}
        for role in ordered:
            if role.key not in inputs:
                raise InputError(f"The input {role.key} ({role.title}) is missing; choose one.")
            chosen = tuple((bands or {}).get(role.key, ()))
            image = stack.enter_context(Image(inputs[role.key], chosen))
            _check_bands(image, role)
            images[role.key] = image
        yield _assembled(images, ordered, scales or {}, progress, onto)


def _check_bands(image: Image, role: Role) -> None:
    count = len(image.indexes)
    if role.maximum_bands is not None and count > role.maximum_bands:
        wanted = (
            "a single-band raster"
            if role.maximum_bands == 1
            else (f"a raster of at most {role.maximum_bands} bands")
        )
        raise InputError(
            f"{image.title}, chosen as {role.title}, has {count} bands; choose {wanted}."
        )
    if count < role.minimum_bands:
        raise InputError(
            f"{image.title}, chosen as {role.title}, has {count} band"
            f"{'s' if count != 1 else ''}; choose a raster of at least {role.minimum_bands}."
        )


def _assembled(
    images: Mapping[str, Image],
    roles: Sequence[Role],
    scales: Mapping[str, int],
    progress: Progress,
    onto: Callable[[Grid], Grid] | None,
) -> Scene:
    first, *others = roles
    reference = images[first.key]
    grid = onto(reference.grid) if onto else reference.grid
    owner = "the result" if grid is reference.grid else "the network"
    placed = {first.key: Placed(reference, grid)}
    found = {first.key: 1}
    if placed[first.key].resampled:
        progress.log(_resampling_note(placed[first.key], 1, owner))
    for role in others:
        image = images[role.key]
        _check_crs(reference, image, progress)
        allowed = (scales[role.key],) if role.key in scales else role.scales
        _settle_unplaced(reference.grid, image, allowed)
        n = _scale(grid, image, allowed)
        _check_overlap(reference, image, progress)
        view = Placed(image, grid.refined(n))
        if view.resampled:
            progress.log(_resampling_note(view, n, owner))
        placed[role.key], found[role.key] = view, n
    return Scene(grid, placed, found, reference.grid)


def _scale(reference: Grid, image: Image, allowed: Sequence[int]) -> int:
    # An image on the reference grid itself may come at any pixel size; it is resampled.
    return 1 if tuple(allowed) == (1,) else infer_scale(reference, image.grid, allowed, image.title)


def _check_crs(reference: Image, image: Image, progress: Progress) -> None:
    known = [one for one in (reference, image) if one.grid.crs]
    if len(known) == 1:
        lacking = image if known[0] is reference else reference
        raise InputError(
            f"{lacking.title} has no coordinate system, while {known[0].title} is in "
            f"{known[0].grid.crs_name}; assign one to it (Layer ▸ Set Layer CRS, then save it)."
        )
    if not known:
        progress.warn(
            f"Neither {reference.title} nor {image.title} has a coordinate system; they are "
            "taken to show the same place, and areas cannot be given in square metres."
        )


def _settle_unplaced(reference: Grid, image: Image, allowed: Sequence[int]) -> None:
    """Lay an image without any georeference over a reference without one, where they nest."""
    if reference.crs or relation(image.grid, reference) != Affine.identity():
        return
    for n in allowed:
        if image.grid.shape == reference.shape.scaled(n):
            image.grid = Grid("", reference.refined(n).transform, image.grid.shape)
            return
    if image.grid.shape != reference.shape:
        rows, columns = image.grid.shape.rows, image.grid.shape.columns
        raise InputError(
            f"{image.title} has {rows} × {columns} pixels and no georeference; that is no whole "
            f"multiple of the reference's {reference.shape.rows} × {reference.shape.columns}. "
            "Georeference both images."
        )


def _check_overlap(reference: Image, image: Image, progress: Progress) -> None:
    share = overlap(reference.grid, image.grid)
    if share <= 0:
        raise InputError(
            f"{reference.title} and {image.title} do not overlap: the first covers "
            f"{_place(reference.grid)}, the second {_place(image.grid)}. Choose images of the "
            "same place, and check their coordinate systems."
        )
    # Half a pixel less at the edges is what grids that are shifted against each other have.
    if share < 1 and overlap(reference.grid, image.grid, slack=0.5) < 0.999:
        progress.warn(
            f"{image.title} covers {share:.0%} of {reference.title}; the rest has no result."
        )


def overlap(reference: Grid, other: Grid, slack: float = 0.0) -> float:
    """The share (0–1) of the reference's box that the other grid's box covers.

    The other box is taken to reach `slack` reference pixels further.
    """
    if reference.crs and other.crs:
        try:
            box = other.bounds_in(reference.crs)
        except InputError:
            return 0.0  # no coordinates there: it cannot overlap
    else:
        box = other.bounds
    west, south, east, north = reference.bounds
    more = slack * math.sqrt(abs(reference.transform.determinant))
    width = min(east, box[2] + more) - max(west, box[0] - more)
    height = min(north, box[3] + more) - max(south, box[1] - more)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((east - west) * (north - south))


def _place(grid: Grid) -> str:
    west, south, east, north = grid.bounds
    return f"{west:.7g}–{east:.7g} east, {south:.7g}–{north:.7g} north in {grid.crs_name}"


def _resampling_note(view: Placed, n: int, owner: str) -> str:
    onto = f"{owner}'s grid" if n == 1 else f"a grid exactly {n} times as fine as {owner}'s"
    size = f" of {view.grid.gsd:.4g} m" if n == 1 and owner == "the network" else ""
    return (
        f"{view.image.title} is resampled ({view.method}) to {onto}{size}, because "
        f"{reason(view.image.grid, view.grid, owner)}."
    )


def pair_scenes(
    inputs: Mapping[str, Sequence[Source]],
    roles: Sequence[Role],
    progress: Progress | None = None,
) -> list[dict[str, Source]]:
    """One mapping role → image for each reference image, with what overlaps it most.

    The order of the lists does not matter. Images without any coordinate system are paired by
    their order.

    Raises:
        InputError: a role has no image, or none that overlaps a reference image.
    """
    reference, *others = sorted(roles, key=lambda role: not role.reference)
    for role in roles:
        if not inputs.get(role.key):
            raise InputError(f"The input {role.key} ({role.title}) is missing; choose one.")
    with raster_environment():
        grids = {role.key: [_grid_of(one) for one in inputs[role.key]] for role in roles}
    pairs = [{reference.key: one} for one in inputs[reference.key]]
    for role in others:
        sources = inputs[role.key]
        taken = [
            _partner(index, grids[reference.key][index], grids[role.key], role, pair[reference.key])
            for index, pair in enumerate(pairs)
        ]
        for pair, index in zip(pairs, taken, strict=True):
            pair[role.key] = sources[index]
        idle = [one.title for index, one in enumerate(sources) if index not in taken]
        if idle and progress is not None:
            progress.warn(f"Not used, because another image overlaps more: {', '.join(idle)}.")
    return pairs


def _grid_of(source: Source) -> Grid:
    with Image(source) as image:
        return image.grid


def _partner(index: int, grid: Grid, candidates: Sequence[Grid], role: Role, one: Source) -> int:
    """The index of the candidate that belongs to `grid`."""
    if len(candidates) == 1:
        return 0  # whatever is wrong with it is said where the scene is opened
    if not grid.crs and not any(other.crs for other in candidates):
        if index < len(candidates):
            return index
        raise InputError(f"{one.title} has no partner as {role.title}; give one for each scene.")
    shares = [
        overlap(grid, other) if bool(other.crs) == bool(grid.crs) else 0.0 for other in candidates
    ]
    best = max(range(len(shares)), key=shares.__getitem__)
    if shares[best] <= 0:
        raise InputError(
            f"No image chosen as {role.title} overlaps {one.title}; add the one of the same place."
        )
    return best
