"""Makes the worker's environment: `setup`."""

from typing import Any

from qgis.core import (
    Qgis,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterString,
)

from ...core.errors import InputError
from ..environment.lock import PLATFORMS
from .base import Parameters, TerraweaveAlgorithm
from .forms import with_help

ACTIONS = {
    "install": "Make the environment and use it",
    "plan": "Only say what would be done",
    "use": "Use the environment of the Python named in PYTHON as it is",
    "fetch": "Only download the wheels, into the folder WHEELS, for a computer without connection",
}
BUILDS = {
    "auto": "For the NVIDIA card where there is one that works, else for the processor",
    "cpu": "For the processor; smaller",
    "gpu": "For NVIDIA cards",
}
INSTALLERS = {"auto": "uv where it is installed, else pip", "pip": "pip", "uv": "uv"}
_GIVEN_TEXTS = ("PYTHON", "WHEELS", "INDEX", "EXTRA_INDEX", "PYTHON_VERSION")
_GIVEN_CHOICES = ("ACTION", "BUILD", "INSTALLER", "PLATFORM")
_TEXTS = (
    ("INTERPRETER", "The worker's Python"),
    ("PLAN", "What was planned"),
    ("BUILD_USED", "Build of torch"),
    ("LOG", "Log of the installer"),
)
_NUMBERS = (("MEGABYTES", "Megabytes on disk"), ("SECONDS", "Seconds"))


class SetupAlgorithm(TerraweaveAlgorithm):
    """Makes the worker environment below the user's profile, proves it, and switches to it."""

    KEY = "setup"
    TITLE = "Set up the worker"
    GROUP = ("worker", "Worker")
    SUMMARY = (
        "Makes the environment that does the computing: a Python of its own below your QGIS "
        "profile, with tested versions of torch and what else is needed. Nothing is added to "
        "QGIS's Python; the environment in use stays until the new one has proved itself."
    )
    NEEDS_WORKER = False

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add parameters and outputs."""
        self._add_choice("ACTION", "What to do", ACTIONS)
        self._add_choice("BUILD", "Build of torch", BUILDS)
        # Any file: on Linux and macOS a Python has no extension.
        python = QgsProcessingParameterFile(
            "PYTHON", "Python", optional=True, fileFilter="All files (*)"
        )
        self.addParameter(
            with_help(
                python,
                "The Python to make the environment from; found by itself when empty. With the "
                "action “use”, the Python of an environment that has all packages already.",
            )
        )
        wheels = QgsProcessingParameterFile(
            "WHEELS",
            "Folder of wheels",
            behavior=Qgis.ProcessingFileParameterBehavior.Folder,
            optional=True,
        )
        self.addParameter(
            with_help(
                wheels,
                "Install from this folder, without any network. With the action “fetch”, the "
                "folder to fill.",
                advanced=True,
            )
        )
        self._add_text("INDEX", "Package index", "Used instead of the one that pip knows.")
        self._add_text(
            "EXTRA_INDEX",
            "One more package index",
            "Looked at too: one with builds of torch for the processor (Linux), or for NVIDIA "
            "cards (Windows).",
        )
        self._add_choice("INSTALLER", "Installer", INSTALLERS, advanced=True)
        platforms = {"this": "This computer"} | {name: name for name in PLATFORMS}
        self._add_choice("PLATFORM", "Platform to fetch for", platforms, advanced=True)
        self._add_text(
            "PYTHON_VERSION", "Python to fetch for", "Such as 3.12; by default the one found here."
        )
        mamba = QgsProcessingParameterBoolean("MAMBA", "Try to add mamba-ssm", defaultValue=False)
        self.addParameter(
            with_help(
                mamba,
                "Compiles mamba-ssm where that is possible: Linux, an NVIDIA card, the CUDA "
                "toolkit. It takes long, and where it fails all works without it.",
                advanced=True,
            )
        )
        for name, title in _TEXTS:
            self.addOutput(QgsProcessingOutputString(name, title))
        for name, title in _NUMBERS:
            self.addOutput(QgsProcessingOutputNumber(name, title))

    def _add_choice(
        self, name: str, title: str, choices: dict[str, str], *, advanced: bool = False
    ) -> None:
        parameter = QgsProcessingParameterEnum(
            name,
            title,
            options=list(choices),
            defaultValue=next(iter(choices)),
            usesStaticStrings=True,
        )
        text = "\n".join(f"{key}: {meaning}." for key, meaning in choices.items())
        self.addParameter(with_help(parameter, text, advanced=advanced))

    def _add_text(self, name: str, title: str, text: str) -> None:
        parameter = QgsProcessingParameterString(name, title, optional=True)
        self.addParameter(with_help(parameter, text, advanced=True))

    def check(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Refuse an action that lacks what it needs."""
        action = self.parameterAsEnumString(parameters, "ACTION", context)
        for needing, name in (("use", "PYTHON"), ("fetch", "WHEELS")):
            if action == needing and not self.parameterAsString(parameters, name, context):
                raise InputError(f"The action “{action}” needs {name}; fill it in.")

    def prepared(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Ask QGIS for its network settings, in the main thread."""
        from ..environment.network import qgis_network

        self._network = qgis_network()

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Do what the action says; a failure says where the installer's log is."""
        from ..environment.actions import run_action

        given = {name: self.parameterAsString(parameters, name, context) for name in _GIVEN_TEXTS}
        given |= {
            name: self.parameterAsEnumString(parameters, name, context) for name in _GIVEN_CHOICES
        }
        mamba = self.parameterAsBoolean(parameters, "MAMBA", context)
        return run_action({**given, "MAMBA": mamba}, self._network, feedback)
