"""The numbers that define a network, as a stranger's model card claims them; torch-free."""

from collections.abc import Collection, Mapping
from typing import Any

from .errors import ModelFileError


def numbers_in(data: object, names: Collection[str]) -> dict[str, Any]:
    """The architecture in a model card, which has exactly these `names`; values are not checked.

    Raises:
        ModelFileError: a number is missing or unknown.
    """
    if not isinstance(data, Mapping):
        raise ModelFileError("The model card has no architecture; the file is damaged.")
    for name in sorted(set(names) - set(data)):
        raise ModelFileError(f"The model card's architecture lacks “{name}”.")
    for name in sorted(set(data) - set(names), key=str):
        raise ModelFileError(
            f"The model card's architecture has an unknown number “{name}”; "
            "the file may come from a newer version."
        )
    return dict(data)
