"""Villages and farms: buildings along streets, roofs, drives, gardens and cars."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Floats, Mask
from .farmland import Texture
from .lines import Points, headings
from .painting import Cover, Painting, Part, spectrum, varied

_TILES = spectrum(0.068, 0.090, 0.170, 0.225)
_OLD_TILES = spectrum(0.070, 0.088, 0.118, 0.160)
_SLATE = spectrum(0.084, 0.092, 0.098, 0.118)
_CEMENT = spectrum(0.150, 0.168, 0.182, 0.205)
_METAL = spectrum(0.330, 0.345, 0.352, 0.372)
_GRAVEL_ROOF = spectrum(0.165, 0.182, 0.196, 0.226)
_PANELS = spectrum(0.052, 0.044, 0.042, 0.058)
_WINDOWS = spectrum(0.420, 0.430, 0.430, 0.440)
_PAVING = spectrum(0.150, 0.168, 0.184, 0.222)
_BEDS = spectrum(0.074, 0.102, 0.128, 0.190)
_LAWN = spectrum(0.040, 0.080, 0.052, 0.380)

_HOUSE_ROOFS = (_TILES, _TILES, _TILES, _OLD_TILES, _OLD_TILES, _SLATE, _SLATE, _CEMENT)
_HALL_ROOFS = (_CEMENT, _METAL, _GRAVEL_ROOF, _SLATE, _OLD_TILES)
_CARS = (
    spectrum(0.42, 0.42, 0.42, 0.42), spectrum(0.05, 0.05, 0.05, 0.06),
    spectrum(0.16, 0.17, 0.18, 0.19), spectrum(0.06, 0.06, 0.24, 0.27),
    spectrum(0.15, 0.10, 0.07, 0.09),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Building:
    """A rectangle in metres around its centre, the ridge along `angle` (radians)."""

    x: float
    y: float
    angle: float
    length: float
    width: float
    eaves: float
    pitch: float
    hipped: bool = False
    hall: bool = False

    @property
    def reach(self) -> float:
        """The radius of the circle around the rectangle."""
        return math.hypot(self.length, self.width) / 2


def place_buildings(
    rng: np.random.Generator, canvas: Canvas, street: Points, forbidden: Mask,
    centre: tuple[float, float], radius: float, taken: list[Building],
) -> list[Building]:  # fmt: skip
    """Houses, and now and then a hall, on both sides of a street within a village.

    `forbidden` holds the pixels that no building may touch; the answers do not touch `taken`.
    """
    placed: list[Building] = []
    directions = headings(street)
    for side in (-1, 1):
        position = rng.uniform(2, 10)
        while position < 4 * (len(street) - 1):
            k = int(position / 4)
            building = _next_to(rng, street[k], directions[k], side)
            near = math.dist(centre, (building.x, building.y)) < radius
            if near and _fits(canvas, building, forbidden, [*taken, *placed]):
                placed.append(building)
                position += building.length + rng.uniform(4, 11)
            else:
                position += 4
    return placed


def _next_to(rng: np.random.Generator, point: Points, heading: float, side: int) -> Building:
    hall = rng.random() < 0.16
    length = rng.uniform(22, 36) if hall else rng.uniform(10.5, 15.5)
    width = rng.uniform(13, 18) if hall else rng.uniform(8.0, 10.5)
    turned = not hall and rng.random() < 0.3
    depth = length if turned else width
    setback = rng.uniform(7.5, 11.5) + depth / 2 + (4 if hall else 0)
    out = heading + side * math.pi / 2
    angle = heading + (math.pi / 2 if turned else 0) + rng.normal(0, 0.04)
    flat = hall and rng.random() < 0.4
    return Building(
        point[0] + setback * math.cos(out), point[1] + setback * math.sin(out), angle,
        length, width, rng.uniform(5, 7) if hall else rng.uniform(4, 6.2),
        0.0 if flat else rng.uniform(0.25, 0.4) if hall else rng.uniform(0.6, 0.9),
        hipped=not hall and rng.random() < 0.25, hall=hall,
    )  # fmt: skip


def _fits(canvas: Canvas, building: Building, forbidden: Mask, others: list[Building]) -> bool:
    for other in others:
        gap = math.dist((building.x, building.y), (other.x, other.y))
        if gap < building.reach + other.reach + 2.5:
            return False
    part = canvas.around(building.x, building.y, building.reach)
    inside = footprint(canvas, building, part, margin=1.5)
    whole = math.pi * building.reach**2 / 4 / canvas.gsd**2
    return bool(inside.sum() > whole * 0.6 and not forbidden[part][inside].any())


def _frame(canvas: Canvas, building: Building, part: Part) -> tuple[Floats, Floats]:
    """Metres along the ridge and across it, from the centre of the building."""
    rows, columns = part if part is not ... else (slice(None), slice(None))
    dx, dy = canvas.x[:, columns] - building.x, canvas.y[rows] - building.y
    cos, sin = math.cos(building.angle), math.sin(building.angle)
    return dx * cos + dy * sin, dy * cos - dx * sin


def footprint(canvas: Canvas, building: Building, part: Part, margin: float = 0.0) -> Mask:
    """The pixels of `part` within `margin` metres of a building."""
    a, b = _frame(canvas, building, part)
    inside = (np.abs(a) < building.length / 2 + margin) & (np.abs(b) < building.width / 2 + margin)
    return np.asarray(inside, bool)


def raise_building(
    rng: np.random.Generator, painting: Painting, building: Building, texture: Texture
) -> None:
    """Paint the roof and what is on it."""
    canvas = painting.canvas
    part = canvas.around(building.x, building.y, building.reach + 1)
    inside = footprint(canvas, building, part)
    a, b = (field[inside] for field in _frame(canvas, building, part))
    from_eaves = building.width / 2 - np.abs(b)
    if building.hipped:
        from_eaves = np.minimum(from_eaves, building.length / 2 - np.abs(a))
    height = building.eaves + building.pitch * from_eaves
    roofs = _HALL_ROOFS if building.hall else _HOUSE_ROOFS
    base = roofs[rng.integers(len(roofs))] * np.float32(rng.uniform(0.86, 1.14))
    ribs = 0.035 * np.sin(2 * np.pi * a / 1.7)
    weather = 0.05 * texture.tuft[part][inside] + 0.03 * texture.grain[part][inside]
    painting.fill(inside, Cover.BUILDING, varied(base, ribs, weather), height, part)
    _furnish(rng, painting, building, part, inside, a, b)


def _furnish(
    rng: np.random.Generator, painting: Painting, building: Building, part: Part, inside: Mask,
    a: Floats, b: Floats,
) -> None:  # fmt: skip
    """Solar panels, skylights, a chimney."""

    def cover(chosen: Mask, colour: Floats, rise: float = 0.0) -> None:
        where = inside.copy()
        where[inside] = chosen
        painting.fill(where, None, colour, painting.height[part][where] + rise, part)

    # The half of the roof that looks down the picture, to the south, carries the panels.
    south = b if math.cos(building.angle) > 0 else -b
    if rng.random() < 0.3:
        on = (south > 0.12 * building.width) & (south < 0.42 * building.width)
        cover(on & (np.abs(a) < 0.34 * building.length), _PANELS)
    if building.hall and rng.random() < 0.7:
        cover((np.abs(np.abs(b) - building.width / 4) < 0.8) & (a % 5.0 < 2.4), _WINDOWS)
    if not building.hall:
        place = rng.uniform(-0.3, 0.3) * building.length
        cover((np.abs(a - place) < 0.6) & (np.abs(b - 0.8) < 0.6), _CEMENT, 1.1)


def lay_gardens(
    rng: np.random.Generator, painting: Painting, garden: Mask, texture: Texture
) -> None:
    """Lawns, with vegetable beds here and there."""
    lawn = varied(_LAWN, 0.06 * texture.grain[garden], 0.11 * texture.patch[garden])
    painting.fill(garden, Cover.GRASS, lawn)
    canvas = painting.canvas
    for _ in range(int(garden.sum() * canvas.gsd**2 / 900)):
        row, column = rng.integers(canvas.rows), rng.integers(canvas.columns)
        if garden[row, column]:
            bed = Building(column * canvas.gsd, row * canvas.gsd, rng.uniform(0, math.pi),
                           rng.uniform(7, 12), rng.uniform(5, 8), 0, 0)  # fmt: skip
            part = canvas.around(bed.x, bed.y, bed.reach)
            inside = footprint(canvas, bed, part) & garden[part]
            b = _frame(canvas, bed, part)[1][inside]
            painting.fill(inside, Cover.SOIL, varied(_BEDS, 0.12 * np.sin(4.5 * b)), 0.0, part)


def pave_drive(
    painting: Painting, building: Building, street: NDArray[np.float64], texture: Texture
) -> None:
    """A paved way from the nearest point of a street to the building, and a yard at a hall."""
    gaps = np.hypot(street[:, 0] - building.x, street[:, 1] - building.y)
    to = street[int(np.argmin(gaps))]
    centre = ((building.x + to[0]) / 2, (building.y + to[1]) / 2)
    angle = math.atan2(to[1] - building.y, to[0] - building.x)
    way = Building(*centre, angle, float(gaps.min()), 9.0 if building.hall else 3.4, 0, 0)
    rectangles = [way]
    if building.hall:
        longer, wider = building.length + 12, building.width + 12
        yard = Building(building.x, building.y, building.angle, longer, wider, 0, 0)
        rectangles.append(yard)
    for rectangle in rectangles:
        part = painting.canvas.around(rectangle.x, rectangle.y, rectangle.reach)
        inside = footprint(painting.canvas, rectangle, part)
        inside &= np.isin(painting.cover[part], (Cover.GRASS, Cover.SOIL, Cover.CROPS, Cover.TREES))
        stones = varied(_PAVING, 0.05 * texture.grain[part][inside])
        painting.fill(inside, Cover.ROAD, stones, 0.0, part)


def park_car(
    rng: np.random.Generator, painting: Painting, x: float, y: float, angle: float
) -> None:
    """A car; the road below it stays a road."""
    car = Building(x, y, angle, 4.4, 1.9, 1.4, 0)
    part = painting.canvas.around(x, y, car.reach)
    inside = footprint(painting.canvas, car, part)
    painting.fill(inside, None, _CARS[rng.integers(len(_CARS))], 1.4, part)
