"""The offline help, made of what the tools say of themselves."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from terraweave.core.families import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "resources" / "help").glob("*.html"))


def test_pages_are_made_from_the_forms_and_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_help.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_index_says_what_can_be_mapped() -> None:
    index = (ROOT / "resources" / "help" / "index.html").read_text(encoding="utf-8")
    assert all(family.title in index for family in FAMILIES.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere_and_nothing_is_fetched(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r'(?:href|src)="([^"]+)"', text):
        assert link.startswith("https://") or (page.parent / link).is_file(), link
    assert not re.search(r"<(script|link|iframe)\b|src=\"http", text)
