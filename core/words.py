"""Counts in words, for sentences."""


def counted(number: int, one: str, several: str = "") -> str:
    """How many of a thing there are: “1 area”, “2 areas”, “12,000 areas”.

    `several` is the noun for all counts but 1 where it does not just end in s.
    """
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
