"""What all of Terraweave's algorithms share: their names, their refusals, their worker."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsExpressionContext,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingMultiStepFeedback,
    QgsProcessingOutputDefinition,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingUtils,
)
from qgis.PyQt.QtGui import QIcon

from ...core.errors import InputError, TerraweaveError
from ...core.job import Features, Job, Source
from ...ui.words import spoken, tr
from ..checks import destination_path
from ..interpreter import InterpreterError, find_interpreter
from ..job import JobCancelled, JobResult, run_job
from ..sources import PreparedFeatures, PreparedRaster

_ICON = Path(__file__).resolve().parents[2] / "resources" / "icons" / "terraweave.svg"
Parameters = dict[str, Any]
# The files that the host writes for the worker take the first of so many parts of the bar.
_BAR_PARTS = 20
# An estimate leaves nothing half done, so that its worker need not be waited for.
_ESTIMATE_GRACE = 0.5
# QGIS has the largest double, and for whole numbers often the largest int, for no bound at all.
_NO_BOUND = 2.0**31 - 1


class EstimateTold(QgsProcessingException):
    """The worker has said what the run would take; nothing else of the run happens."""


class TerraweaveAlgorithm(QgsProcessingAlgorithm):
    """A tool of Terraweave.

    A subclass says what it is called, adds its parameters, and has `check` (what can be seen to
    be wrong, raising InputError), `prepared` (in the main thread: what it needs of the layers)
    and `run_prepared` (in Processing's thread: the work).
    """

    KEY = ""
    TITLE = ""
    GROUP = ("model", "Models")
    SUMMARY = ""
    NEEDS_WORKER = True

    def name(self) -> str:
        """The id, for ever."""
        return self.KEY

    def displayName(self) -> str:
        """The name in the toolbox."""
        return spoken(self.TITLE)

    def groupId(self) -> str:
        """The group's id."""
        return self.GROUP[0]

    def group(self) -> str:
        """The group in the toolbox."""
        return tr(self.GROUP[1])

    def icon(self) -> QIcon:
        """The icon in the toolbox."""
        return QIcon(str(_ICON))

    def svgIconPath(self) -> str:
        """The icon where QGIS wants a path."""
        return str(_ICON)

    def shortDescription(self) -> str:
        """One sentence for the tooltip."""
        return spoken(self.SUMMARY)

    def shortHelpString(self) -> str:
        """The help beside the form."""
        return f"<p>{spoken(self.SUMMARY)}</p>"

    def createInstance(self) -> "TerraweaveAlgorithm":
        """A fresh copy, as QGIS asks for before each run."""
        return type(self)()

    def addParameter(
        self, definition: QgsProcessingParameterDefinition, createOutput: bool = True
    ) -> bool:
        """Add a parameter in the user's language; its id is the same in every one."""
        definition.setDescription(tr(definition.description()))
        definition.setHelp(spoken(definition.help()))
        return super().addParameter(definition, createOutput)

    def addOutput(self, definition: QgsProcessingOutputDefinition) -> bool:
        """Add an output in the user's language."""
        definition.setDescription(tr(definition.description()))
        return super().addOutput(definition)

    def canExecute(self) -> tuple[bool, str]:
        """Whether there is a worker; if not, the sentence that says what to do."""
        if not self.NEEDS_WORKER:
            return True, ""
        try:
            find_interpreter()
        except InterpreterError as error:
            return False, spoken(str(error))
        return True, ""

    def _check_layers(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Refuse layers and files that are gone.

        Raises:
            InputError: one is.
        """
        from ..there import check_layers_there  # QGIS's start has no use for it

        check_layers_there(self.parameterDefinitions(), parameters, context)

    def checkParameterValues(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Whether the values can work, as far as can be seen without starting the worker."""
        try:
            self._check_layers(parameters, context)
            fits, reason = super().checkParameterValues(parameters, context)
            if not fits:
                return False, spoken(self._refused_value(parameters, context)) or reason
            self._check_all(parameters, context)
        except InputError as error:
            return False, spoken(str(error))
        return True, ""

    def _refused_value(self, parameters: Parameters, context: QgsProcessingContext) -> str:
        """What is wrong with the first choice or number that QGIS refuses without saying why."""
        for one in self.parameterDefinitions():
            value = parameters.get(one.name())
            if value is None or one.checkValueIsAcceptable(value, context):
                continue
            name = f"{one.description()} ({one.name()})"
            if isinstance(one, QgsProcessingParameterEnum):
                return f"{name} cannot be “{value}”; choose one of {', '.join(one.options())}."
            if isinstance(one, QgsProcessingParameterNumber):
                return f"{name} cannot be “{value}”; give a number {_bounds(one)}."
        return ""

    def prepareAlgorithm(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Take what is needed of the layers, in the main thread.

        Not every caller checks first, so the checks are made here once more.
        """
        try:
            self._check_layers(parameters, context)
            self._check_all(parameters, context)
            self.prepared(parameters, context)
        except InputError as error:
            raise QgsProcessingException(spoken(str(error))) from error
        for name in self._unknown(parameters):
            feedback.pushWarning(f"{self.name()} has no parameter {name}; it has no effect.")
        return True

    def processAlgorithm(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Do the work, in Processing's thread; every failure is an exception with a sentence."""
        try:
            return self.run_prepared(parameters, context, feedback)
        except (EstimateTold, JobCancelled, TerraweaveError) as error:
            # QGIS shows a traceback for any exception but this very class.
            raise QgsProcessingException(spoken(str(error))) from error

    def _check_all(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        for name in self._unknown(parameters):
            if self.parameterDefinition(plain := name.lstrip("-")) is not None:
                raise InputError(
                    f"“{name}” is no parameter. Behind “--” parameters have no dashes: write "
                    f"{plain}=…, and once more for each further layer."
                )
        if self.NEEDS_WORKER:
            find_interpreter()
        self.check(parameters, context)

    def _unknown(self, parameters: Parameters) -> list[str]:
        """The names given that are no parameter's, which QGIS drops without a word."""
        known = {one.name().casefold() for one in self.parameterDefinitions()}
        return [name for name in parameters if name.casefold() not in known]

    def check(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Raise InputError for whatever can be seen to be wrong."""

    def prepared(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Keep on `self` what the run needs of the layers; called in the main thread."""

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Do the work and return the outputs."""
        raise NotImplementedError

    def given(self, parameters: Parameters, name: str, expressions: QgsExpressionContext) -> str:
        """The file that the output `name` is to be written to, where the user named one."""
        return destination_path(parameters.get(name), expressions)


def _bounds(number: QgsProcessingParameterNumber) -> str:
    """The allowed range in words."""
    least, most = number.minimum(), number.maximum()
    above, below = abs(least) < _NO_BOUND, abs(most) < _NO_BOUND
    if above and below:
        return f"from {least:.10g} to {most:.10g}"
    if above or below:
        return f"of at least {least:.10g}" if above else f"of at most {most:.10g}"
    return "with a point for decimals"


@contextmanager
def exchange_folder(context: QgsProcessingContext) -> Iterator[Path]:
    """A folder for the files that go between host and worker; removed at the end."""
    parent = context.temporaryFolder() or QgsProcessingUtils.tempFolder()
    folder = Path(tempfile.mkdtemp(prefix="terraweave_", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Preparation:
    """The files that the host writes before the worker starts, one after the other."""

    def __init__(
        self, folder: Path, count: int, feedback: QgsProcessingFeedback, *, copies: bool = True
    ) -> None:
        """`count` files are to be written to `folder`; without `copies` no image is copied."""
        self._folder = folder
        self._copies = copies
        self._bar = QgsProcessingMultiStepFeedback(_BAR_PARTS, feedback)
        self._steps = QgsProcessingMultiStepFeedback(max(count, 1), self._bar)
        self._done = 0

    def source(self, raster: PreparedRaster, stem: str) -> Source:
        """`raster` as the worker reads it.

        Raises:
            InputError: it has to be copied, and that was not wanted.
        """
        if raster.copy is not None and not self._copies:
            raise InputError(
                f"“{raster.name}” is no file that the worker can read; the run copies it first, "
                "which takes time of its own, and only then can more be told."
            )
        return raster.written(self._folder, stem, self._next())

    def features(self, features: PreparedFeatures, stem: str) -> Features:
        """`features` as the worker reads them."""
        return features.written(self._folder, stem, self._next())

    def _next(self) -> QgsProcessingFeedback:
        self._steps.setCurrentStep(self._done)
        self._done += 1
        return self._steps


def run_with_files(
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
    count: int,
    make_job: Callable[[Preparation], Job],
) -> JobResult:
    """Run the job that `make_job` makes once its `count` files are written.

    A feedback that has `estimate_places`, where the outputs are to lie by their names, wants to
    know what the job would take, and gets it by its `take_estimate`.

    Raises:
        EstimateTold: the feedback has got its estimate.
    """
    places: Mapping[str, str] | None = getattr(feedback, "estimate_places", None)
    with exchange_folder(context) as folder:
        if places is None:
            return run_job(make_job(Preparation(folder, count, feedback)), feedback)
        job = make_job(Preparation(folder, count, feedback, copies=False))
        outputs = {name: places.get(name) or path for name, path in job.outputs.items()}
        asked = replace(job, task="estimate", about=job.task, outputs=outputs)
        feedback.take_estimate(run_job(asked, feedback, grace=_ESTIMATE_GRACE).values)
    raise EstimateTold("The estimate is there.")


def numbers_only(values: Mapping[str, object], names: tuple[str, ...]) -> dict[str, float]:
    """The numbers among `values` under `names`; an undefined score is left out, never 0."""
    found = ((name, values.get(name)) for name in names)
    return {name: float(value) for name, value in found if isinstance(value, int | float)}


def make_folders(paths: Mapping[str, str]) -> None:
    """Make the folders of output files that do not exist yet.

    Raises:
        InputError: a folder cannot be made.
    """
    for path in filter(None, paths.values()):
        folder = Path(path).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"The folder “{folder}” cannot be made: {error.strerror}. Choose another one."
            ) from error
