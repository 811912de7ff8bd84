"""What the tool `setup` can do; loaded when it runs, so that QGIS starts without it."""

import os
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from qgis.core import QgsProcessingFeedback, QgsSettings
from qgis.PyQt.QtCore import QUrl

from ..interpreter import SETTING, VARIABLE, interpreter_at, worker_folder
from .failures import SetupError
from .install import Installed, fill_folder, install
from .installers import Sources, clean_variables
from .network import Network, with_authorities
from .plan import Plan, Request, make_fetch_plan, make_plans
from .proof import prove_environment
from .pythons import OLDEST_PYTHON, PythonError, examine

Given = Mapping[str, Any]
Results = dict[str, Any]


def run_action(given: Given, network: Network, feedback: QgsProcessingFeedback) -> Results:
    """Do what `given["ACTION"]` says; the keys are the parameters of the tool.

    Raises:
        TerraweaveError: it cannot be done; where an installer failed, a link to its log is shown.
    """
    before = _logs()
    try:
        return _ACTIONS[given["ACTION"]](given, network, feedback)
    except SetupError:
        _show_log(_logs() - before, feedback)
        raise


def _plan(given: Given, network: Network, feedback: QgsProcessingFeedback) -> Results:
    first = _plans(given, _variables(network, feedback), feedback)[0]
    return {"PLAN": "\n".join(first.sentences()), "BUILD_USED": first.build}


def _install(given: Given, network: Network, feedback: QgsProcessingFeedback) -> Results:
    variables = _variables(network, feedback)
    plans = _plans(given, variables, feedback)
    done = install(plans, variables, feedback, secrets=network.secrets)
    _use_ours(feedback)
    return _outputs(done) | {"PLAN": "\n".join(plans[0].sentences())}


def _fetch(given: Given, network: Network, feedback: QgsProcessingFeedback) -> Results:
    variables = _variables(network, feedback)
    plan = make_fetch_plan(
        "" if given["PLATFORM"] == "this" else given["PLATFORM"],
        given["PYTHON_VERSION"],
        given["BUILD"],
        Sources(given["INDEX"], given["EXTRA_INDEX"]),
        worker_folder(),
        variables,
    )
    log = fill_folder(plan, Path(given["WHEELS"]), variables, feedback, network.secrets)
    feedback.pushInfo(
        f"The folder holds what Python {plan.minor} on {plan.platform} needs, and a list of it. "
        "Copy it, and name it in WHEELS on the other computer."
    )
    return {"LOG": str(log), "BUILD_USED": plan.build}


def _use(given: Given, network: Network, feedback: QgsProcessingFeedback) -> Results:
    """Prove an environment that somebody else made, and use it from now on."""
    python = interpreter_at(Path(given["PYTHON"]).expanduser(), "the parameter PYTHON").path
    # Asked first what it is: what is no Python, perhaps QGIS itself, is not started as a worker.
    found = examine(python, "the parameter PYTHON", clean_variables(os.environ))
    if found.version < OLDEST_PYTHON:
        raise PythonError(
            f"“{python}” is Python {found.minor}; the worker needs "
            f"{'.'.join(map(str, OLDEST_PYTHON))} or newer. Name another one in PYTHON."
        )
    try:
        prove_environment(python, feedback)
    except SetupError as error:
        raise SetupError(
            error.kind,
            f"{error} Nothing was changed. Install what core/requirements.txt in the plugin's "
            f"folder lists into “{python}”, or let Terraweave make an environment "
            "(ACTION=install).",
        ) from error
    QgsSettings().setValue(SETTING, str(python))
    feedback.pushInfo(f"Terraweave uses {python} from now on; the setting “{SETTING}” names it.")
    return {"INTERPRETER": str(python)}


_ACTIONS: Mapping[str, Callable[[Given, Network, QgsProcessingFeedback], Results]] = {
    "install": _install,
    "plan": _plan,
    "use": _use,
    "fetch": _fetch,
}


def _variables(network: Network, feedback: QgsProcessingFeedback) -> dict[str, str]:
    """What installers see: the variables of QGIS without what is its own, and its network."""
    for note in network.notes:
        feedback.pushInfo(note)
    root = worker_folder()
    try:
        if network.authorities:
            root.mkdir(parents=True, exist_ok=True)
        return with_authorities(clean_variables(os.environ), network, root / "authorities.pem")
    except OSError:
        # That the folder may not be written is said, with its remedy, by the checks.
        return clean_variables(os.environ)


def _plans(given: Given, variables: dict[str, str], feedback: QgsProcessingFeedback) -> list[Plan]:
    request = Request(
        given["PYTHON"],
        given["BUILD"],
        Sources(given["INDEX"], given["EXTRA_INDEX"], given["WHEELS"]),
        given["INSTALLER"],
        given["MAMBA"],
    )
    plans = make_plans(request, worker_folder(), variables)
    for sentence in plans[0].sentences():
        feedback.pushInfo(sentence)
    return plans


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


def _outputs(done: Installed) -> Results:
    return {
        "INTERPRETER": str(done.python),
        "BUILD_USED": done.build,
        "LOG": str(done.log),
        "MEGABYTES": round(done.size / 1e6, 1),
        "SECONDS": round(done.seconds, 1),
    }


def _logs() -> set[Path]:
    return set((worker_folder() / "logs").glob("setup-*.log"))


def _show_log(logs: set[Path], feedback: QgsProcessingFeedback) -> None:
    """A link to the newest of `logs`; none where the installer had not begun."""
    if logs:
        newest = max(logs)
        address = QUrl.fromLocalFile(str(newest)).toString()
        feedback.pushFormattedMessage(
            f"<a href='{escape(address)}'>Show what the installer said</a>", f"Log: {newest}"
        )
