"""The eight flips and rotations of a square, as whole numbers."""

from torch import Tensor

ORIENTATIONS = 8


def turned(picture: Tensor, orientation: int) -> Tensor:
    """`picture` (…, row, column) in one of eight orientations.

    0 to 3 are quarter turns counter-clockwise (rows up, as on a map: north goes to the west), 4 to
    7 the same after a flip of the columns. 0 changes nothing.
    """
    if not 0 <= orientation < ORIENTATIONS:
        raise ValueError(f"there is no orientation {orientation}")
    if orientation >= 4:
        picture = picture.flip(-1)
    return picture.rot90(orientation % 4, (-2, -1))


def turned_back(picture: Tensor, orientation: int) -> Tensor:
    """What was `turned` into `orientation`, as it was before."""
    if not 0 <= orientation < ORIENTATIONS:
        raise ValueError(f"there is no orientation {orientation}")
    picture = picture.rot90(-(orientation % 4), (-2, -1))
    return picture.flip(-1) if orientation >= 4 else picture
