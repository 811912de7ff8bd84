"""Settings: one record for form, check and help."""

import pytest
from terraweave.core.errors import InputError
from terraweave.core.families import FAMILIES
from terraweave.core.family import Family
from terraweave.core.settings import CROSS_VALIDATION, Choice, Setting, resolve

STRIDE = Setting("stride", "Stride", "Every N-th pixel.", default=4, minimum=2, maximum=256)
RATE = Setting("rate", "Rate", "Step size.", default=0.1, minimum=0.0)
MODE = Setting("mode", "Mode", "How.", default="a", choices=(Choice("a", "A"), Choice("b", "B")))
SWITCH = Setting("switch", "Switch", "On or off.", default=True)
EVERY_SETTING = [
    pytest.param(setting, id=f"{family.key}-{setting.key}")
    for family in FAMILIES.values()
    for setting in (*family.train_settings, *family.predict_settings)
]


@pytest.mark.parametrize(("given", "expected"), [(8, 8), ("8", 8), (8.0, 8), ("8.0", 8)])
def test_whole_number_is_understood_as_number_or_text(given: object, expected: int) -> None:
    value = STRIDE.checked(given)
    assert value == expected
    assert isinstance(value, int)


@pytest.mark.parametrize("given", ["2.5", "many", "nan", "inf", 1, 257, None])
def test_unfitting_number_is_refused_by_value(given: object) -> None:
    with pytest.raises(InputError, match=r"Stride \(STRIDE\)"):
        STRIDE.checked(given)


def test_not_a_number_is_no_number() -> None:
    with pytest.raises(InputError, match="is “nan”; give a number"):
        RATE.checked("nan")


@pytest.mark.parametrize(("given", "expected"), [("true", True), (0, False), ("No", False)])
def test_switch_understands_words_and_numbers(given: object, expected: bool) -> None:
    assert SWITCH.checked(given) is expected


def test_unknown_choice_is_refused_with_the_list() -> None:
    with pytest.raises(InputError, match="cannot be “c”; choose one of a, b"):
        MODE.checked("c")


def test_what_is_not_given_has_its_default() -> None:
    assert resolve([STRIDE, MODE], {"mode": "b"}) == {"stride": 4, "mode": "b"}


def test_unknown_setting_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no setting “strife”"):
        resolve([STRIDE], {"strife": 3})


def test_one_fold_is_refused_with_its_own_sentence() -> None:
    with pytest.raises(InputError, match=r"^One fold \(CROSS_VALIDATION is 1\).* 2 to 20, or 0"):
        CROSS_VALIDATION.checked(1)
    assert [CROSS_VALIDATION.checked(one) for one in (0, 2, "20")] == [0, 2, 20]


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_defaults_of_every_family_go_together(family: Family) -> None:
    family.check(resolve(family.train_settings, {}))


@pytest.mark.parametrize("setting", EVERY_SETTING)
def test_default_of_every_setting_passes_its_own_check(setting: Setting) -> None:
    assert setting.checked(setting.default) == setting.default
    assert setting.help.endswith(".")
