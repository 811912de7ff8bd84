"""The confusion matrix. Rows are the reference, columns are the map, everywhere in Terraweave."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..classes import MapClass
from ..errors import InputError

Counts = NDArray[np.int64]


def confusion_matrix(
    reference: ArrayLike, predicted: ArrayLike, classes: Sequence[MapClass]
) -> Counts:
    """Pixels by class, rows = reference, columns = map, both in the order of `classes`.

    `reference` and `predicted` hold class values and have the same shape. A pair is left out
    where either value is not among the classes: 0 is unlabelled in the reference and nodata in
    the map, and neither is an error of the map.

    Raises:
        InputError: the two differ in shape.
    """
    rows = class_index(reference, classes)
    columns = class_index(predicted, classes)
    if rows.shape != columns.shape:
        raise InputError(
            f"The reference has the shape {rows.shape} and the map {columns.shape}; bring both "
            "onto one grid first."
        )
    both = (rows >= 0) & (columns >= 0)
    count = len(classes)
    cells = np.bincount(rows[both] * count + columns[both], minlength=count * count)
    return cells.reshape(count, count).astype(np.int64)


def class_index(values: ArrayLike, classes: Sequence[MapClass]) -> NDArray[np.int64]:
    """The position of each value among `classes`, −1 where it is none of them."""
    wanted = np.array([one.value for one in classes], np.int64)
    order = np.argsort(wanted)
    given = np.asarray(values)
    if not len(wanted):
        return np.full(given.shape, -1, np.int64)
    place = np.searchsorted(wanted[order], given).clip(max=len(wanted) - 1)
    found = order[place]
    return np.where(wanted[found] == given, found, -1).astype(np.int64)
