"""What a run will take, asked by the form itself: from the layers to the words."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from qgis.core import QgsProject, QgsRasterLayer
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QEventLoop, QTimer
from terraweave.plugin.provider import TerraweaveProvider
from terraweave.ui.estimator import Asking
from terraweave.ui.panel import Panel
from terraweave.ui.run import Run
from terraweave.ui.step_page import StepPage
from terraweave.ui.steps import fresh_algorithm


def until(condition: Callable[[], object], milliseconds: int = 120000) -> None:
    """Let QGIS go on until the condition holds."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start(20)
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
    timer.stop()
    assert condition()


def told(page: StepPage) -> Mapping[str, object]:
    """What the worker has said of the page's form."""
    over = (Asking.TOLD, Asking.FAILED)
    until(lambda: page.estimator.state in over)
    assert page.estimator.state is Asking.TOLD, page.estimator.problem
    return page.estimator.values


@pytest.fixture
def page(
    provider: TerraweaveProvider,
    with_worker: Path,
    qgis_iface: QgisInterface,
    scene: dict[str, str],
    trained_model: Path,
) -> Iterator[StepPage]:
    """The page that applies a model, on the screen, with everything filled in."""
    panel = Panel(qgis_iface, provider.id(), "terraweave/python")
    panel.dock.show()
    panel.dock.show_model(str(trained_model))
    found = panel.dock.page("predict")
    found.form.fill("DEVICE", "cpu")
    found.form.check()
    found.panel = panel
    yield found
    panel.close()


def test_the_worker_is_asked_by_itself_and_its_answer_is_shown(page: StepPage) -> None:
    assert page.estimator.state is Asking.WAITING
    assert page.estimate.headline.text() == "Estimating …"
    assert told(page)["WINDOWS_HIGH"] == 64 * 64
    assert page.estimate.headline.text().startswith("<b>About ")
    assert "on the processor (1 core)" in page.estimate.headline.text()
    # Whether thousands are set apart is the locale's choice.
    assert page.estimate.details.text().replace(",", "").startswith("4096 windows · ")
    assert "An estimate" in page.estimate.caveat.text()


def test_an_estimate_writes_nothing(page: StepPage, tmp_path: Path) -> None:
    page.form.fill("CLASSES", str(tmp_path / "deep" / "map.tif"))
    page.form.check()
    assert told(page)["DISK_FREE"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_changed_form_is_asked_about_anew(page: StepPage) -> None:
    page.estimator.ask()
    assert page.estimator.state is Asking.ASKED
    page.form.fill("MODE", "stride")
    page.form.check()
    assert page.estimator.state is Asking.WAITING
    assert told(page)["WINDOWS_HIGH"] < 64 * 64


def test_the_same_form_is_asked_about_once(page: StepPage) -> None:
    told(page)
    page.form.check()
    assert page.estimator.state is Asking.TOLD


def test_an_incomplete_form_has_no_estimate(page: StepPage) -> None:
    page.form.fill("MODEL", "")
    page.form.check()
    assert page.estimator.state is Asking.NOTHING
    assert page.estimate.isHidden()


def test_estimates_give_way_to_runs(page: StepPage) -> None:
    queue = page.panel.queue
    page.estimator.ask()
    queue.add(Run(fresh_algorithm("terraweave:diagnose"), {}, "Diagnose"))
    assert page.estimator.state is Asking.BUSY
    assert page.estimate.headline.text() == "The estimate comes when the run is over."
    until(lambda: not queue.unfinished)
    until(lambda: page.estimator.state in (Asking.WAITING, Asking.ASKED, Asking.TOLD))


def test_an_image_of_another_scale_is_said_beside_its_field(
    page: StepPage, sample_scene: Path, tmp_path: Path, worker_python: Path
) -> None:
    coarse = tmp_path / "coarse.tif"
    shrink = (
        "import sys, rasterio; from affine import Affine; a = rasterio.open(sys.argv[1]); "
        "p = {**a.profile, 'transform': a.transform * Affine.scale(4)}; "
        "b = rasterio.open(sys.argv[2], 'w', **p); b.write(a.read()); b.descriptions = "
        "a.descriptions; b.close()"
    )
    subprocess.run(
        [worker_python, "-c", shrink, sample_scene / "ms.tif", coarse], check=True, cwd=tmp_path
    )
    layer = QgsRasterLayer(str(coarse), "coarse scene")
    QgsProject.instance().addMapLayer(layer)
    page.form.fill("MS", layer.id())
    page.form.check()
    until(lambda: page.estimator.state is Asking.FAILED)
    assert "coarse scene" in page.form.fields["MS"].notice.text()
    assert page.estimate.headline.text().startswith("No estimate")


def test_closing_waits_for_the_worker_that_was_asked(page: StepPage) -> None:
    page.estimator.ask()
    page.panel.dock.stop_asking(20000)
    assert page.estimator.state is Asking.NOTHING
    assert page.estimator._ending == []
