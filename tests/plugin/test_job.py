"""The job client, against stand-in workers that do one thing each, and against the real one."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from qgis.core import QgsProcessingException, QgsProcessingFeedback
from terraweave.core.job import Features, Job, Source
from terraweave.plugin.job import Display, JobCancelled, JobResult, run_job, time_left

pytestmark = pytest.mark.usefixtures("qgis_app")

PRELUDE = """
import json, os, signal, sys, time
def emit(**event): print(json.dumps(event), flush=True)
document = json.loads(sys.stdin.readline())
def wait_for_cancel():
    emit(event="log", level="info", text="waiting")
    for line in sys.stdin:
        if line.strip() == "cancel": return
"""
Run = Callable[..., JobResult]


@pytest.fixture
def run(listener: QgsProcessingFeedback) -> Run:
    """Runs a job in a stand-in worker whose body is given."""

    def go(
        body: str,
        feedback: QgsProcessingFeedback = listener,
        job: Job | None = None,
        grace: float = 5.0,
    ) -> JobResult:
        command = [sys.executable, "-E", "-s", "-c", PRELUDE + body]
        return run_job(job or Job("nothing"), feedback, command=command, grace=grace)

    return go


RESULT = 'emit(event="result", outputs={}, values={"pid": os.getpid()})\n'


def alive(pid: int) -> bool:
    """Whether there is a process with this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_job_arrives_as_one_line_and_values_come_back(run: Run) -> None:
    body = 'emit(event="result", outputs={"A": "a"}, values={"job": document})'
    job = Job("train", "das2f", model="x\ny — ü", settings={"epochs": 3})
    result = run(body, job=job)
    assert result.outputs == {"A": "a"}
    assert Job.from_json(result.values["job"]) == job


def test_worker_is_gone_after_the_result(run: Run) -> None:
    result = run(RESULT)
    assert not alive(int(str(result.values["pid"])))


def test_worker_that_lingers_after_its_result_is_ended(run: Run) -> None:
    result = run(RESULT + "time.sleep(600)", grace=0.2)
    assert not alive(int(str(result.values["pid"])))


def test_events_reach_the_feedback(run: Run, listener: QgsProcessingFeedback) -> None:
    run(
        'emit(event="progress", fraction=0.25, stage="Reading", seconds_left=200)\n'
        'emit(event="log", level="info", text="hello")\n'
        'emit(event="log", level="warning", text="careful")\n'
        'emit(event="epoch", epoch=3, epochs=9, loss=0.123456, macro_f1=None)\n' + RESULT
    )
    assert listener.progress() == 25.0
    assert listener.texts("stage") == ["Reading: about 3 minutes left"]
    assert listener.texts("info") == ["hello", "Epoch 3 of 9: loss 0.1235"]
    assert listener.texts("warning") == ["careful"]


def test_stage_is_told_once_and_time_left_now_and_then(listener: QgsProcessingFeedback) -> None:
    now = [0.0]
    show = Display(listener, clock=lambda: now[0])
    for second in range(65):
        now[0] = second
        show({"event": "progress", "fraction": 0.1, "stage": "Training", "seconds_left": 900})
    assert listener.texts("stage") == ["Training: about 15 minutes left"] * 3


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "a second"),
        (12, "about 12 seconds"),
        (200, "about 3 minutes"),
        (9000, "about 2 hours"),
    ],
)
def test_time_left_is_in_words(seconds: float, words: str) -> None:
    assert time_left(seconds) == words


def test_what_a_library_prints_is_no_event(run: Run, listener: QgsProcessingFeedback) -> None:
    run('print("Segmentation fault averted", flush=True)\n' + RESULT)
    assert "Segmentation fault averted" in listener.texts("debug")[0]


def test_error_event_becomes_an_exception_with_its_sentence(run: Run) -> None:
    with pytest.raises(QgsProcessingException, match="^The PAN raster has 3 bands; choose one"):
        run('emit(event="error", kind="InputError", text="The PAN raster has 3 bands; choose one")')


def test_worker_that_is_killed_says_so(run: Run) -> None:
    with pytest.raises(QgsProcessingException, match="killed by SIGKILL, perhaps for lack of mem"):
        run("os.kill(os.getpid(), signal.SIGKILL)")


def test_training_that_is_killed_tells_that_its_epochs_are_kept(run: Run) -> None:
    dies = "os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(QgsProcessingException, match="nothing of the result was kept"):
        run(dies)
    epoch = 'emit(event="epoch", epoch=1, epochs=9, loss=0.5)\n'
    with pytest.raises(QgsProcessingException, match="started again .* goes on after them"):
        run(epoch + dies)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGTERM"])
def test_worker_that_dies_of_a_signal_names_it(run: Run, name: str) -> None:
    with pytest.raises(QgsProcessingException, match=f"killed by {name};"):
        run(f"os.kill(os.getpid(), signal.{name})")


def test_worker_that_ends_without_a_word_shows_status_and_last_lines(run: Run) -> None:
    body = 'sys.stderr.write("first\\n" * 30 + "the last line\\n"); sys.exit(7)'
    with pytest.raises(QgsProcessingException, match="exit status 7") as caught:
        run(body)
    assert str(caught.value).splitlines()[-1] == "the last line"
    assert len(str(caught.value).splitlines()) <= 21


def test_incomplete_environment_says_to_make_it_anew(run: Run) -> None:
    with pytest.raises(QgsProcessingException, match="environment is incomplete.*make it anew"):
        run("import a_package_that_nobody_has")


def test_worker_of_another_version_says_to_make_it_anew(run: Run) -> None:
    with pytest.raises(QgsProcessingException, match="in a form that this version"):
        run('emit(event="result", paths=[])')


def test_large_document_does_not_block_when_the_worker_never_reads_it(
    listener: QgsProcessingFeedback,
) -> None:
    job = Job("nothing", settings={"text": "x" * 2**21})
    command = [sys.executable, "-c", "raise SystemExit(4)"]
    with pytest.raises(QgsProcessingException, match="exit status 4"):
        run_job(job, listener, command=command)


def test_cancel_is_passed_on_and_the_workers_last_word_is_shown(
    run: Run, listener_cancelling_at: Callable[[str], QgsProcessingFeedback]
) -> None:
    body = 'wait_for_cancel(); emit(event="error", kind="Cancelled", text="Kept epoch 3.")'
    with pytest.raises(JobCancelled, match=r"^Kept epoch 3\.$"):
        run(body, listener_cancelling_at("waiting"))


@pytest.mark.parametrize("stubborn", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"])
def test_worker_that_ignores_cancel_is_ended(
    run: Run,
    tmp_path: Path,
    listener_cancelling_at: Callable[[str], QgsProcessingFeedback],
    stubborn: str,
) -> None:
    note = tmp_path / "pid"
    body = (
        f"open({str(note)!r}, 'w').write(str(os.getpid()))\n{stubborn}"
        'emit(event="log", level="info", text="waiting")\ntime.sleep(600)'
    )
    with pytest.raises(JobCancelled, match="did not answer and was ended"):
        run(body, listener_cancelling_at("waiting"), grace=0.3)
    assert not alive(int(note.read_text()))


def test_qgis_own_variables_do_not_reach_the_worker(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = {"PYTHONPATH": "/x", "PYTHONHOME": "/x", "PROJ_LIB": "/x", "PROJ_DATA": "/x",
               "GDAL_DATA": "/x", "GDAL_DRIVER_PATH": "/x", "QT_PLUGIN_PATH": "/x"}  # fmt: skip
    for key, value in foreign.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example")
    result = run('emit(event="result", outputs={}, values=dict(os.environ))')
    assert not set(result.values) & set(foreign)
    assert result.values["HTTPS_PROXY"] == "proxy.example"
    assert os.environ["PROJ_LIB"] == "/x"
    for key in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        assert os.access(str(result.values[key]), os.W_OK)


@pytest.mark.usefixtures("no_worker")
def test_missing_worker_is_an_exception_with_the_remedy(
    listener: QgsProcessingFeedback,
) -> None:
    with pytest.raises(QgsProcessingException, match="worker environment of Terraweave is missing"):
        run_job(Job("inspect"), listener)


def test_python_that_cannot_be_started_is_a_sentence(
    listener: QgsProcessingFeedback, tmp_path: Path
) -> None:
    path = tmp_path / "python"
    path.write_bytes(b"\x7fELF, but not quite")
    path.chmod(0o755)
    with pytest.raises(QgsProcessingException, match="could not be started"):
        run_job(Job("inspect"), listener, command=[str(path)])


@pytest.mark.usefixtures("with_worker")
def test_real_worker_refuses_an_unknown_task(listener: QgsProcessingFeedback) -> None:
    with pytest.raises(QgsProcessingException, match="There is no task “dance”"):
        run_job(Job("dance"), listener)


@pytest.mark.usefixtures("with_worker")
def test_real_worker_reads_a_card(trained_model: Path, listener: QgsProcessingFeedback) -> None:
    result = run_job(Job("inspect", model=str(trained_model)), listener)
    assert result.values["card"]["family"] == "das2f"


def test_paths_count_from_the_folder_that_qgis_runs_in(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.tif", "labels.gpkg", "old.safetensors"):
        Path(name).touch()
    job = Job(
        "train",
        "das2f",
        inputs={"MS": (Source("a.tif", "A"), Source("GPKG:b.gpkg:c"))},
        labels=Features("labels.gpkg", field="class"),
        model="old.safetensors",
        outputs={"MODEL": "new/model.safetensors"},
    )
    result = run('emit(event="result", outputs={}, values={"job": document})', job=job)
    sent = Job.from_json(result.values["job"])
    assert sent.inputs["MS"] == (Source(str(tmp_path / "a.tif"), "A"), Source("GPKG:b.gpkg:c"))
    assert sent.labels == Features(str(tmp_path / "labels.gpkg"), field="class")
    assert sent.model == str(tmp_path / "old.safetensors")
    assert sent.outputs == {"MODEL": str(tmp_path / "new" / "model.safetensors")}
