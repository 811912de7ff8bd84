"""The worker's command line: a job document, or plain subcommands that make one.

python -m core -                     the wire: the document is the first line of stdin
python -m core JOB.json              the same document from a file
python -m core train FAMILY …        also refine, predict, inspect
"""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType

from ..errors import InputError
from ..families import FAMILIES
from ..family import Family, Refinement
from ..job import Features, Job, Source, rasters_in
from ..progress import Event, Progress
from ..settings import Setting
from .run import guarded, run_document, run_job
from .wire import Wire

# The end of the hosting process leaves nobody to report to; the code only shows in a debugger.
_ABANDONED = 5


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments say and return the exit code."""
    if list(arguments) == ["-"]:
        return _serve_host()
    if len(arguments) == 1 and arguments[0].lower().endswith(".json"):
        return _run_file(Path(arguments[0]))
    return _run_subcommand(arguments)


def _serve_host() -> int:
    wire = Wire()
    text = wire.read_job()
    wire.watch(give_up=lambda: os._exit(_ABANDONED))
    return run_document(text, wire.emit, wire.cancelled)


def _run_file(path: Path) -> int:
    wire = Wire()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        wire.emit({"event": "error", "kind": "InputError",
                   "text": f"{path} cannot be read: {error.strerror}."})  # fmt: skip
        return InputError.exit_code
    return run_document(text, wire.emit, _stopped_by_signals())


def _run_subcommand(arguments: Sequence[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    cancelled = _stopped_by_signals()
    return guarded(lambda: run_job(_job(options), Progress(_tell, cancelled)), _tell)


def _stopped_by_signals() -> Callable[[], bool]:
    """A flag that Ctrl-C and a batch queue's SIGTERM raise."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
    return stop.is_set


def _tell(event: Event) -> None:
    """Show one event to a person at a terminal."""
    sys.stderr.flush()
    match event["event"]:
        case "progress":
            line = f"{float(str(event['fraction'])):6.1%}  {event['stage']}"
        case "log":
            line = str(event["text"])
        case "epoch":
            numbers = (f"{key} {value}" for key, value in event.items() if key != "event")
            line = ", ".join(numbers)
        case "error":
            line = f"Error: {event['text']}"
        case _:
            line = "\n".join(_result_lines(event))
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _result_lines(event: Event) -> list[str]:
    outputs, values = event.get("outputs"), event.get("values")
    lines = []
    if isinstance(outputs, dict):
        lines += [f"{key}: {path}" for key, path in outputs.items() if path]
    if isinstance(values, dict):
        lines += [f"{key}: {json.dumps(value, indent=2)}" for key, value in values.items()]
    return lines or ["Done."]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tasks = parser.add_subparsers(dest="task", required=True)
    train = tasks.add_parser("train", help="train a model").add_subparsers(
        dest="family", required=True
    )
    refine = tasks.add_parser(
        "refine", help="go on from a model with few, more precise labels"
    ).add_subparsers(dest="family", required=True)
    predict = tasks.add_parser("predict", help="apply a model").add_subparsers(
        dest="family", required=True
    )
    for family in FAMILIES.values():
        _add_train(train.add_parser(family.key, help=family.title), family)
        if family.refinement is not None:
            parser_of_refine = refine.add_parser(family.key, help=family.refinement.title)
            _add_refine(parser_of_refine, family, family.refinement)
        _add_predict(predict.add_parser(family.key, help=family.title), family)
    inspect = tasks.add_parser("inspect", help="show what a model file says about itself")
    inspect.add_argument("model", help="a *.safetensors file")
    inspect.add_argument("--stac-item", default="", help="also write the card as a STAC item")
    return parser


def _add_train(parser: argparse.ArgumentParser, family: Family) -> None:
    _add_scenes(parser, family, family.labels)
    parser.add_argument("--start-model", default="", help="go on from this model")
    if family.refinement is not None:
        _add_further(parser, family, "FINE", f"Second stage. {family.refinement.labels}")
    _add_settings(parser, family.train_settings)


def _add_refine(parser: argparse.ArgumentParser, family: Family, how: Refinement) -> None:
    _add_scenes(parser, family, how.labels)
    parser.add_argument(
        "--teacher",
        required=True,
        dest="start_model",
        metavar="FILE",
        help="the model to refine; it stays",
    )
    _add_further(
        parser, family, "OLD", "What the teacher learnt from, to measure what is forgotten there."
    )
    _add_settings(parser, how.settings)


def _add_scenes(parser: argparse.ArgumentParser, family: Family, labels: str) -> None:
    _add_roles(parser, family, "+")
    parser.add_argument("--labels", required=True, help=labels)
    parser.add_argument("--class-field", default="", help="the field with the class")
    parser.add_argument("--area", default="", help="polygons of what was surveyed")
    parser.add_argument("--model", required=True, help="the *.safetensors file to write")
    parser.add_argument("--report", default="", help="the HTML report to write")


def _add_further(parser: argparse.ArgumentParser, family: Family, prefix: str, text: str) -> None:
    """Scenes and labels of another stage, all optional."""
    option = prefix.lower()
    for role in family.roles:
        parser.add_argument(f"--{option}-{role.key.lower()}", nargs="+", metavar="FILE",
                            dest=f"role_{prefix}_{role.key}", help=text)  # fmt: skip
    parser.add_argument(f"--{option}-labels", metavar="FILE", dest=f"features_{prefix}_LABELS",
                        help=text)  # fmt: skip
    parser.add_argument(f"--{option}-class-field", dest=f"field_{prefix}_LABELS", default="",
                        metavar="FIELD", help="the field with the class there")  # fmt: skip
    parser.add_argument(f"--{option}-area", metavar="FILE", dest=f"features_{prefix}_AREA",
                        help="polygons of what was surveyed there")  # fmt: skip


def _add_predict(parser: argparse.ArgumentParser, family: Family) -> None:
    _add_roles(parser, family, 1)
    parser.add_argument("--model", required=True, help="the *.safetensors file to apply")
    parser.add_argument("--classes", required=True, help="the class raster to write")
    parser.add_argument("--confidence", default="", help="the confidence raster to write")
    parser.add_argument("--polygons", default="", help="the vector file to write")
    _add_settings(parser, family.predict_settings)


def _add_roles(parser: argparse.ArgumentParser, family: Family, count: str | int) -> None:
    for role in family.roles:
        parser.add_argument(f"--{role.key.lower()}", nargs=count, required=True, help=role.help,
                            metavar="FILE", dest=f"role_{role.key}")  # fmt: skip


def _add_settings(parser: argparse.ArgumentParser, settings: Sequence[Setting]) -> None:
    for setting in settings:
        parser.add_argument(
            f"--{setting.key.replace('_', '-')}",
            dest=f"setting_{setting.key}",
            metavar=None if setting.choices else "VALUE",
            help=f"{setting.help} Default: {setting.default}.".replace("%", "%%"),
            choices=[choice.key for choice in setting.choices] or None,
        )


def _job(options: argparse.Namespace) -> Job:
    given = vars(options)
    if options.task == "inspect":
        return Job("inspect", model=options.model, outputs={"STAC_ITEM": options.stac_item})
    common = {
        "family": options.family,
        "inputs": _part(given, "role_", _sources),
        "settings": _part(given, "setting_", lambda value: value),
    }
    if options.task in ("train", "refine"):
        return Job(
            options.task,
            labels=Features(options.labels, field=options.class_field),
            area=Features(options.area) if options.area else None,
            model=options.start_model,
            features={
                key.removeprefix("features_"): Features(str(path), field=_field(given, key))
                for key, path in given.items()
                if key.startswith("features_") and path
            },
            outputs={"MODEL": options.model, "REPORT": options.report},
            **common,
        )
    outputs = {key.upper(): given[key] for key in ("classes", "confidence", "polygons")}
    return Job("predict", model=options.model, outputs=outputs, **common)


def _sources(paths: Iterable[str]) -> tuple[Source, ...]:
    """Images from files, and from folders all that are there."""
    return tuple(Source(one) for path in paths for one in rasters_in(path))


def _field(given: dict[str, object], key: str) -> str:
    return str(given.get(key.replace("features_", "field_"), ""))


def _part(
    given: dict[str, object], prefix: str, convert: Callable[..., object]
) -> dict[str, object]:
    return {
        key.removeprefix(prefix): convert(value)
        for key, value in given.items()
        if key.startswith(prefix) and value is not None
    }
