"""An estimate in words a person takes in at a glance."""

from collections.abc import Iterator

import pytest
from qgis.PyQt.QtWidgets import QApplication
from terraweave.ui.amounts import counts, duration, size
from terraweave.ui.estimate_view import EstimateView, caveat, details, headline, shortage
from terraweave.ui.words import use_language

VALUES = {
    "WINDOWS_LOW": 250000, "WINDOWS_HIGH": 250000, "SECONDS_LOW": 180.0, "SECONDS_HIGH": 300.0,
    "MEMORY": 600_000_000, "MEMORY_FREE": 13_000_000_000, "DISK": 12_000_000,
    "DISK_FREE": 8_000_000_000, "DEVICE": "cpu", "DEVICE_REASON": "No card was found.",
    "THREADS": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Numbers as English writes them."""
    use_language("en")
    yield
    use_language("en")


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1, 3, "about 1–3 seconds"),
        (12, 31, "about 10–30 seconds"),
        (60, 100, "about 1–2 minutes"),
        (170, 310, "about 3–5 minutes"),
        (178, 185, "about 3 minutes"),
        (4000, 9000, "about 1–2 hours"),
        (200_000, 400_000, "about 2–5 days"),
    ],
)
def test_durations_are_rounded_as_a_person_would(low: float, high: float, words: str) -> None:
    assert duration(low, high) == words


def test_sizes_and_counts() -> None:
    assert [size(n) for n in (0, 900, 5000, 12e6, 99e6, 600e6, 13e9)] == [
        "0 B", "900 B", "5 kB", "12 MB", "99 MB", "0.6 GB", "13 GB",
    ]  # fmt: skip
    assert counts(250000, 250000) == "250,000"
    assert counts(12345, 98765) == "12,000–99,000"


def test_the_first_line_says_how_long_and_on_what() -> None:
    assert headline(VALUES) == "About 3–5 minutes on the processor (2 cores)"
    card = headline({**VALUES, "DEVICE": "cuda"})
    assert card == "About 3–5 minutes on the NVIDIA card"
    unknown = headline({**VALUES, "SECONDS_LOW": None, "SECONDS_HIGH": None})
    assert unknown == "Runs on the processor (2 cores); how long cannot be told"


def test_the_second_line_says_how_much_and_what_is_free() -> None:
    assert details(VALUES) == (
        "250,000 windows · 0.6 GB of memory (13 GB free) · up to 12 MB on disk (8 GB free)"
    )
    assert "free" not in details({**VALUES, "MEMORY_FREE": None, "DISK_FREE": None})


def test_what_does_not_suffice_is_said_with_the_remedy() -> None:
    assert shortage(VALUES) == ""
    short = shortage({**VALUES, "MEMORY_FREE": 500_000_000, "DISK_FREE": 1_000_000})
    assert "Only 0.5 GB of memory are free: close other programs" in short
    assert "Only 1 MB are free on the disk" in short


def test_it_is_called_an_estimate() -> None:
    assert caveat(VALUES).startswith("An estimate")
    assert caveat(VALUES).endswith("No card was found.")


def test_german_writes_numbers_its_own_way() -> None:
    use_language("de")
    assert details(VALUES).startswith("250.000 Fenster · 0,6 GB")
    assert headline(VALUES) == "Etwa 3–5 Minuten auf dem Prozessor (2 Kerne)"


def test_the_view_shows_an_estimate_and_hides_it_again(app: QApplication) -> None:
    view = EstimateView()
    assert view.isHidden()
    view.show_estimate(VALUES)
    assert not view.isHidden()
    assert "250,000 windows" in view.details.text()
    view.show_words("<b>Estimating …")
    assert view.headline.text() == "&lt;b&gt;Estimating …"
    assert view.details.isHidden()
    view.show_nothing()
    assert view.isHidden()
