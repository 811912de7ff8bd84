"""Makes the worker's environment: `setup`."""

import os
from html import escape
from pathlib import Path
from typing import Any

from qgis.core import (
    Qgis,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterString,
    QgsSettings,
)
from qgis.PyQt.QtCore import QUrl

from ...core.errors import InputError
from ..environment.failures import SetupError
from ..environment.install import Installed, fill_folder, install
from ..environment.installers import Sources, clean_variables
from ..environment.lock import PLATFORMS
from ..environment.network import qgis_network, with_authorities
from ..environment.plan import Plan, Request, make_fetch_plan, make_plans
from ..environment.proof import prove_environment
from ..interpreter import SETTING, VARIABLE, interpreter_at, worker_folder
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
        python = QgsProcessingParameterFile("PYTHON", "Python", optional=True)
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
        self._network = qgis_network()

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Do what the action says; a failure says where the installer's log is."""
        texts = {
            name: self.parameterAsString(parameters, name, context)
            for name in ("PYTHON", "WHEELS", "INDEX", "EXTRA_INDEX", "PYTHON_VERSION")
        }
        choices = {
            name: self.parameterAsEnumString(parameters, name, context)
            for name in ("ACTION", "BUILD", "INSTALLER", "PLATFORM")
        }
        mamba = self.parameterAsBoolean(parameters, "MAMBA", context)
        actions = {"install": self._install, "plan": self._plan, "use": _use, "fetch": self._fetch}
        try:
            return actions[choices["ACTION"]](texts | choices | {"MAMBA": mamba}, feedback)
        except SetupError as error:
            _show_log(feedback)
            raise QgsProcessingException(str(error)) from error

    def _variables(self, feedback: QgsProcessingFeedback) -> dict[str, str]:
        for note in self._network.notes:
            feedback.pushInfo(note)
        root = worker_folder()
        try:
            root.mkdir(parents=True, exist_ok=True)
            return with_authorities(
                clean_variables(os.environ), self._network, root / "authorities.pem"
            )
        except OSError:
            # That the folder may not be written is said, with its remedy, by the checks.
            return clean_variables(os.environ)

    def _plans(self, given: dict[str, Any], feedback: QgsProcessingFeedback) -> list[Plan]:
        request = Request(
            given["PYTHON"],
            given["BUILD"],
            Sources(given["INDEX"], given["EXTRA_INDEX"], given["WHEELS"]),
            given["INSTALLER"],
            given["MAMBA"],
        )
        plans = make_plans(request, worker_folder(), self._variables(feedback))
        for sentence in plans[0].sentences():
            feedback.pushInfo(sentence)
        return plans

    def _plan(self, given: dict[str, Any], feedback: QgsProcessingFeedback) -> dict[str, Any]:
        first = self._plans(given, feedback)[0]
        return {"PLAN": "\n".join(first.sentences()), "BUILD_USED": first.build}

    def _install(self, given: dict[str, Any], feedback: QgsProcessingFeedback) -> dict[str, Any]:
        plans = self._plans(given, feedback)
        done = install(plans, self._variables(feedback), feedback, secrets=self._network.secrets)
        _use_ours(feedback)
        return _outputs(done) | {"PLAN": "\n".join(plans[0].sentences())}

    def _fetch(self, given: dict[str, Any], feedback: QgsProcessingFeedback) -> dict[str, Any]:
        variables = self._variables(feedback)
        plan = make_fetch_plan(
            "" if given["PLATFORM"] == "this" else given["PLATFORM"],
            given["PYTHON_VERSION"],
            given["BUILD"],
            Sources(given["INDEX"], given["EXTRA_INDEX"]),
            worker_folder(),
            variables,
        )
        log = fill_folder(plan, Path(given["WHEELS"]), variables, feedback, self._network.secrets)
        feedback.pushInfo(
            f"The folder holds what Python {plan.minor} on {plan.platform} needs, and a list of "
            "it. Copy it, and name it in WHEELS on the other computer."
        )
        return {"LOG": str(log), "BUILD_USED": plan.build}


def _use(given: dict[str, Any], feedback: QgsProcessingFeedback) -> dict[str, Any]:
    """Prove an environment that somebody else made, and use it from now on."""
    python = interpreter_at(Path(given["PYTHON"]).expanduser(), "the parameter PYTHON").path
    prove_environment(python, feedback)
    QgsSettings().setValue(SETTING, str(python))
    feedback.pushInfo(f"Terraweave uses {python} from now on; the setting “{SETTING}” names it.")
    return {"INTERPRETER": str(python)}


def _use_ours(feedback: QgsProcessingFeedback) -> None:
    """Let nothing that was named before stand before the environment that was made now."""
    settings = QgsSettings()
    if settings.value(SETTING, ""):
        settings.remove(SETTING)
        feedback.pushInfo(f"The setting “{SETTING}” is cleared, so that this environment is used.")
    if os.environ.get(VARIABLE):
        feedback.pushWarning(
            f"The environment variable {VARIABLE} names another Python, which goes before this "
            "environment; remove it to use this one."
        )


def _outputs(done: Installed) -> dict[str, Any]:
    return {
        "INTERPRETER": str(done.python),
        "BUILD_USED": done.build,
        "LOG": str(done.log),
        "MEGABYTES": round(done.size / 1e6, 1),
        "SECONDS": round(done.seconds, 1),
    }


def _show_log(feedback: QgsProcessingFeedback) -> None:
    """A link to the newest log of the installer."""
    logs = sorted((worker_folder() / "logs").glob("setup-*.log"))
    if logs:
        address = QUrl.fromLocalFile(str(logs[-1])).toString()
        feedback.pushFormattedMessage(
            f"<a href='{escape(address)}'>Show what the installer said</a>", f"Log: {logs[-1]}"
        )
