"""Scenes in which nothing can be seen, and whose fault that is."""

from ..scene.grid import Window
from ..scene.scene import Scene

_BLOCK = 512


def nothing_there(scene: Scene, inside: Window) -> str:
    """The sentence for a scene without a single pixel with data `inside` a window of its grid.

    Reads the images until the first such pixel of each.
    """
    empty = [role for role in scene.roles if not _shows_something(scene, role, inside)]
    if not empty:
        names = " and ".join(scene.facts(role).title for role in scene.roles)
        return (
            f"Where one of {names} has data, another has none, so no pixel of the scene can be "
            "seen; choose images that show the same ground, and look at their nodata values."
        )
    names = " and ".join(f"{scene.facts(role).title} ({role})" for role in empty)
    has = "has" if len(empty) == 1 else "have"
    return (
        f"{names} {has} no pixel with data in the scene; choose a raster that shows it, or mend "
        "the nodata value, if what stands there is real."
    )


def _shows_something(scene: Scene, role: str, inside: Window) -> bool:
    parts = (
        Window(row, column, _BLOCK, _BLOCK).intersection(inside)
        for row in range(inside.row, inside.end_row, _BLOCK)
        for column in range(inside.column, inside.end_column, _BLOCK)
    )
    return any(scene.read(role, part).valid.any() for part in parts if part is not None)
