"""Sentences that name parameters speak of them as the forms do."""

from pathlib import Path

import pytest
from qgis.core import QgsProject
from terraweave.core.families import FAMILIES
from terraweave.plugin.provider import TerraweaveProvider
from terraweave.ui.card_view import CardView
from terraweave.ui.panel import Panel
from terraweave.ui.run_view import RunView
from terraweave.ui.steps import fresh_algorithm
from terraweave.ui.story import Story
from terraweave.ui.titles import titled, titles_of
from terraweave.ui.words import use_language

TITLES = {
    "MINIMUM_AREA": "Smallest area",
    "CLASS_FIELD": "Class field",
    "MODEL": "Model",
    "IMAGE": "Image",
    "DEM": "Elevation model",
}


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("set MINIMUM_AREA to 0.", "set “Smallest area” to 0."),
        ("name another file for MODEL.", "name another file for “Model”."),
        ("No class field (CLASS_FIELD) was given", "No class field was given"),
        ("into the same file (MODEL), goes on", "into the same file (“Model”), goes on"),
        ("“two” (DEM) has 2 bands", "“two” (“Elevation model”) has 2 bands"),
        # Names that somebody gave, files, and words that only look like an id.
        ("“IMAGE of May” has no bands", "“IMAGE of May” has no bands"),
        ("„MODEL 3“ fehlt", "„MODEL 3“ fehlt"),
        ("/data/IMAGE/MODEL.tif is gone", "/data/IMAGE/MODEL.tif is gone"),
        ("IMAGE.tif and OLD_IMAGE stay", "IMAGE.tif and OLD_IMAGE stay"),
        ("The DEM is coarse", "The DEM is coarse"),
    ],
)
def test_ids_become_titles(sentence: str, said: str) -> None:
    assert titled(sentence, TITLES) == said


def test_a_refusal_in_the_form_names_the_field_by_its_title(
    panel: Panel, scene: dict[str, str]
) -> None:
    page = panel.dock.page("train")
    page.form.fill("PAN", [scene["ms"]])
    assert not page.form.check()
    assert "(PAN)" in page.form.problem
    said = page.form.fields["PAN"].problem.text()
    assert said.startswith("Panchromatic image: “valley ms” has 4 bands; choose a single-band")


def test_a_warning_names_a_setting_of_another_tool_by_its_title(
    provider: TerraweaveProvider,
) -> None:
    family = next(one for one in FAMILIES.values() if one.refinement is not None)
    algorithm = fresh_algorithm(f"terraweave:train{family.key}")
    assert algorithm.parameterDefinition("MINIMUM_AREA") is None
    view = RunView()
    view.titles = titles_of(algorithm)
    story = Story(lines=[("warning", "set MINIMUM_AREA to 0 at prediction")])
    view.show_story("Train", "Running", story, running=True, epochs=0)
    assert view.warnings.text() == "set “Smallest area” to 0 at prediction"
    view.deleteLater()


def test_a_card_names_images_as_the_form_does(trained_model: Path, qgis_app: object) -> None:
    view = CardView()
    view.show_file(str(trained_model))
    assert "Multispectral image" in view.text()
    assert "<b>MS</b>" not in view.text()
    use_language("de")
    view.show_file(str(trained_model))
    use_language("en")
    assert "Multispektrales Bild" in view.text()
    view.deleteLater()
    QgsProject.instance().clear()
