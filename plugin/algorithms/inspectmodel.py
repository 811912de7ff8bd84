"""Shows what a model file says about itself: `inspectmodel`."""

import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from qgis.core import (
    Qgis,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
)

from ...core.card import Card, CardInput, earlier_models, read_card, unfinished
from ...core.errors import InputError
from ...core.job import Job
from ...core.words import counted
from ..checks import check_output
from ..interpreter import find_interpreter
from ..job import run_job
from .base import Parameters, TerraweaveAlgorithm, make_folders
from .forms import with_help

_TEXTS = (("FAMILY", "Family"), ("NAME", "Name"), ("CARD", "Card as JSON"))
_NUMBERS = (("CLASS_COUNT", "Classes"), ("WINDOW", "Window"))


class InspectModelAlgorithm(TerraweaveAlgorithm):
    """Reads the card in a model file's header, without the worker."""

    KEY = "inspectmodel"
    TITLE = "Inspect model"
    SUMMARY = (
        "Shows a model's card: images and bands it needs, classes, how it was trained and how "
        "well it did. A STAC item describes it for a catalogue."
    )
    NEEDS_WORKER = False

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add parameters and outputs."""
        model = QgsProcessingParameterFile(
            "MODEL",
            "Model",
            behavior=Qgis.ProcessingFileParameterBehavior.File,
            fileFilter="Terraweave model (*.safetensors)",
        )
        self.addParameter(with_help(model, "A model file that Terraweave wrote."))
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "REPORT", "Card", "Web page (*.html)", optional=True
            )
        )
        item = QgsProcessingParameterFileDestination(
            "STAC_ITEM", "STAC item", "STAC item (*.json)", optional=True, createByDefault=False
        )
        self.addParameter(
            with_help(item, "The card with the Machine Learning Model extension, for a catalogue.")
        )
        for name, title in _TEXTS:
            self.addOutput(QgsProcessingOutputString(name, title))
        for name, title in _NUMBERS:
            self.addOutput(QgsProcessingOutputNumber(name, title))

    def check(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Refuse a file that is no model, and outputs that cannot be written."""
        model = self.parameterAsString(parameters, "MODEL", context)
        if not Path(model).is_file():
            raise InputError(f"There is no model file “{model}”; choose a *.safetensors file.")
        read_card(model)
        if parameters.get("STAC_ITEM"):
            find_interpreter()
        for name in ("REPORT", "STAC_ITEM"):
            check_output(self.given(parameters, name, context.expressionContext()), name, [model])

    def run_prepared(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Show the card in the log, and return it."""
        model = self.parameterAsString(parameters, "MODEL", context)
        card = read_card(model)
        outputs = {
            name: self.parameterAsFileOutput(parameters, name, context)
            for name in ("REPORT", "STAC_ITEM")
        }
        outputs = {name: path for name, path in outputs.items() if path}
        make_folders(outputs)
        for title, text in card_lines(card):
            feedback.pushInfo(f"{title}: {text}")
        if told := unfinished(card):
            feedback.pushWarning(told)
        if "REPORT" in outputs:
            Path(outputs["REPORT"]).write_text(card_page(card), encoding="utf-8")
        if "STAC_ITEM" in outputs:
            item = {"STAC_ITEM": outputs["STAC_ITEM"]}
            run_job(Job("inspect", model=model, outputs=item), feedback)
        return {
            **outputs,
            "FAMILY": card.family,
            "NAME": card.name,
            "CARD": json.dumps(card.to_json(), ensure_ascii=False),
            "CLASS_COUNT": len(card.classes),
            "WINDOW": card.window,
        }


def card_lines(card: Card) -> list[tuple[str, str]]:
    """The card as titles and texts for a person."""
    lines = [("Model", card.name), ("Family", card.family)]
    lines += [(f"Image {one.role}", _input_text(one)) for one in card.inputs]
    lines.append(("Classes", ", ".join(f"{one.value} {one.name}" for one in card.classes)))
    lines.append(("Window", f"{card.window} pixels, overlap {card.overlap}"))
    for number, one in enumerate(earlier_models(card)):
        lines.append(("Before that" if number else "Went on from", one))
    for title, part in (("Training", card.training), ("Scores", card.metrics)):
        lines += [(title, text) for text in _numbers(part.items())]
    return lines


def _input_text(one: CardInput) -> str:
    bands = ", ".join(
        f"{band.name} ({band.wavelength:g} µm)" if band.wavelength else band.name
        for band in one.bands
    )
    return f"{counted(len(one.bands), 'band')} at {one.gsd:.4g} m: {bands}"


def _numbers(entries: Iterable[tuple[str, object]]) -> list[str]:
    """Plain entries as text; tables stay in the JSON."""
    return [
        f"{key.replace('_', ' ')} {value:.4g}" if isinstance(value, float) else
        f"{key.replace('_', ' ')} {value}"
        for key, value in entries
        if isinstance(value, str | int | float)
    ]  # fmt: skip


def card_page(card: Card) -> str:
    """The card as a small web page; every text in it is shown, never run."""
    rows = "".join(
        f"<tr><th align='left'>{escape(title)}</th><td>{escape(text)}</td></tr>"
        for title, text in card_lines(card)
    )
    told = f"<p><strong>{escape(unfinished(card))}</strong></p>" if unfinished(card) else ""
    text = escape(json.dumps(card.to_json(), indent=2, ensure_ascii=False))
    return (
        f"<!DOCTYPE html><html><head><meta charset='utf-8'><title>{escape(card.name)}</title>"
        f"</head><body><h1>{escape(card.name)}</h1>{told}<table>{rows}</table>"
        f"<h2>Card</h2><pre>{text}</pre></body></html>"
    )
