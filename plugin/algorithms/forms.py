"""Turns the facts of a family into Processing parameters, and their values into a job's parts."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from qgis.core import (
    Qgis,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from ...core.family import Family
from ...core.settings import Setting, Value
from ...ui.words import spoken, tr

_INTEGER = Qgis.ProcessingNumberParameterType.Integer
_DOUBLE = Qgis.ProcessingNumberParameterType.Double
# What one enters: centimetres, and no part of a square metre worth telling.
_DECIMALS = {"m": 2, "m²": 1}


def parameter_of(setting: Setting) -> QgsProcessingParameterDefinition:
    """The Processing parameter for `setting`."""
    made = _bare_parameter(setting)
    return with_help(made, _setting_help(setting), advanced=setting.advanced)


def _bare_parameter(setting: Setting) -> QgsProcessingParameterDefinition:
    name, default = setting.parameter, setting.default
    title = f"{setting.title} [{setting.unit}]" if setting.unit else setting.title
    if setting.choices:
        return QgsProcessingParameterEnum(
            name,
            title,
            options=[choice.key for choice in setting.choices],
            defaultValue=default,
            usesStaticStrings=True,
        )
    if isinstance(default, bool):
        return QgsProcessingParameterBoolean(name, title, defaultValue=default)
    if isinstance(default, str):
        return QgsProcessingParameterString(name, title, defaultValue=default, optional=True)
    number = QgsProcessingParameterNumber(
        name, title, type=_INTEGER if isinstance(default, int) else _DOUBLE, defaultValue=default
    )
    if setting.minimum is not None:
        number.setMinimum(setting.minimum)
    if setting.maximum is not None:
        number.setMaximum(setting.maximum)
    decimals = _decimals(setting)
    if decimals is not None:
        number.setMetadata({"widget_wrapper": {"decimals": decimals}})
    return number


def _decimals(setting: Setting) -> int | None:
    """How many decimals the form shows, or None for as many as QGIS does."""
    if not isinstance(setting.default, float):
        return None
    if 0.0 < abs(setting.default) < 0.01:
        # Otherwise the form would round small steps away.
        return 8
    if setting.unit in _DECIMALS:
        return _DECIMALS[setting.unit]
    return 3 if setting.maximum is not None and setting.maximum <= 1.0 else None


def _setting_help(setting: Setting) -> str:
    listed = [f"{choice.key}: {choice.help}." for choice in setting.choices]
    return "\n".join([setting.help, *listed])


def with_help(
    parameter: QgsProcessingParameterDefinition, text: str, *, advanced: bool = False
) -> QgsProcessingParameterDefinition:
    """`parameter` with a help text, folded away where it is `advanced`."""
    parameter.setHelp(text)
    if advanced:
        flag = Qgis.ProcessingParameterFlag.Advanced
        parameter.setFlags(parameter.flags() | flag)
    return parameter


def setting_values(
    algorithm: QgsProcessingAlgorithm,
    settings: Iterable[Setting],
    parameters: Mapping[str, Any],
    context: QgsProcessingContext,
) -> dict[str, Value]:
    """The checked value of every setting.

    Raises:
        InputError: a value does not fit its setting.
    """
    return {
        setting.key: setting.checked(_raw_value(algorithm, setting, parameters, context))
        for setting in settings
    }


def _raw_value(
    algorithm: QgsProcessingAlgorithm,
    setting: Setting,
    parameters: Mapping[str, Any],
    context: QgsProcessingContext,
) -> object:
    name = setting.parameter
    if setting.choices:
        return algorithm.parameterAsEnumString(parameters, name, context)
    if isinstance(setting.default, bool):
        return algorithm.parameterAsBoolean(parameters, name, context)
    if isinstance(setting.default, str):
        return algorithm.parameterAsString(parameters, name, context)
    if isinstance(setting.default, int):
        return algorithm.parameterAsInt(parameters, name, context)
    return algorithm.parameterAsDouble(parameters, name, context)


def family_help(family: Family, intro: str, settings: Iterable[Setting]) -> str:
    """The help beside a family's form, as HTML: what it does, its settings, its source."""
    roles = [(f"{tr(role.title)} ({role.key})", role.help) for role in family.roles]
    options = [(setting.title, setting.help) for setting in settings]
    parts = [f"<p>{_text(tr(intro))}</p>", _list("Images", roles), _list("Settings", options)]
    source = family.reference
    parts.append(
        f"<h3>{tr('Source')}</h3><p>{_text(source.citation)} "
        f'<a href="{escape(source.url)}">{escape(source.url)}</a></p>'
    )
    return "".join(parts)


def _text(words: str) -> str:
    """Words between tags; quotes stay, because `qgis_process help` shows pages as they are."""
    return escape(words, quote=False)


def settings_help(settings: Iterable[Setting]) -> str:
    """The part of a form's help that tells of `settings`, as HTML."""
    return _list("Settings", [(setting.title, setting.help) for setting in settings])


def _list(title: str, entries: Iterable[tuple[str, str]]) -> str:
    rows = "".join(
        f"<p><b>{_text(tr(name))}</b>: {_text(spoken(text))}</p>" for name, text in entries
    )
    return f"<h3>{tr(title)}</h3>{rows}"
