"""The command lines of pip and uv, and what of a user's pip settings they may see."""

import os
from itertools import pairwise
from pathlib import Path

from terraweave.plugin.environment.installers import (
    Sources,
    fetch_for_platform,
    fetch_with_pip,
    install_with_pip,
    install_with_uv,
    installer_variables,
    offline_variables,
    pip_settings,
    uv_variables,
)

HERE, LIST, TARGET = Path("/e"), Path("/r.txt"), Path("/w")


def test_every_installation_asks_for_hashes_and_wheels_alone() -> None:
    commands = [
        fetch_with_pip(HERE, LIST, TARGET, Sources()),
        install_with_pip(HERE, LIST, TARGET),
        install_with_uv(Path("/uv"), HERE, LIST, Path("/c"), Sources()),
    ]
    for command in commands:
        assert "--require-hashes" in command
        assert "--no-deps" in command
        assert command[command.index("--only-binary") + 1] == ":all:"


def test_installing_never_looks_at_an_index() -> None:
    command = install_with_pip(HERE, LIST, TARGET)
    assert "--no-index" in command
    assert command[-2:] == ["--find-links", str(TARGET)]
    told = offline_variables({"PIP_FIND_LINKS": "/elsewhere", "PIP_INDEX_URL": "x", "HOME": "/h"})
    assert told == {"HOME": "/h", "PIP_CONFIG_FILE": os.devnull}


def test_sources_become_options() -> None:
    assert Sources().options() == []
    assert Sources("a", "b").options() == ["--index-url", "a", "--extra-index-url", "b"]
    assert Sources("a", "b", "/f").options() == ["--no-index", "--find-links", "/f"]


def test_other_platforms_are_fetched_by_the_tags_of_their_wheels() -> None:
    wheels = [
        "a-1-cp312-cp312-win_amd64.whl",
        "b-1-py3-none-any.whl",
        "c-1-cp311-abi3-manylinux_2_28_x86_64.manylinux_2_27_x86_64.whl",
    ]
    command = fetch_for_platform(HERE, LIST, TARGET, Sources(), "3.12", wheels)
    words = list(pairwise(command))
    assert ("--python-version", "3.12") in words
    for platform in ("win_amd64", "manylinux_2_28_x86_64", "manylinux_2_27_x86_64"):
        assert ("--platform", platform) in words
    for abi in ("cp312", "abi3", "none"):
        assert ("--abi", abi) in words


def test_nothing_of_qgis_or_of_a_misleading_pip_reaches_an_installer(tmp_path: Path) -> None:
    told = installer_variables(
        {
            "PYTHONHOME": "/qgis", "PYTHONPATH": "/qgis", "PROJ_LIB": "/qgis", "GDAL_DATA": "/q",
            "QT_PLUGIN_PATH": "/qgis", "PIP_TARGET": "/x", "PIP_USER": "1", "VIRTUAL_ENV": "/v",
            "PIP_INDEX_URL": "https://mirror", "HOME": "/h",
        },
        tmp_path,
    )  # fmt: skip
    assert told["PIP_USER"] == "0"
    assert told["PIP_INDEX_URL"] == "https://mirror", "a company's mirror stays"
    assert told["TMPDIR"] == str(tmp_path)
    assert not {"PYTHONHOME", "PYTHONPATH", "PROJ_LIB", "PIP_TARGET", "VIRTUAL_ENV"} & set(told)


def test_mirror_that_is_set_for_pip_is_told_to_uv(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "pip"
    folder.mkdir(parents=True)
    (folder / "pip.conf").write_text(
        "[global]\nindex-url = https://mirror/simple\nextra-index-url =\n  https://a\n  https://b\n"
    )
    variables = {"HOME": str(tmp_path), "PIP_FIND_LINKS": "/one /two"}
    assert pip_settings(variables)["index-url"] == "https://mirror/simple"
    told = uv_variables(variables, tmp_path / "pythons")
    assert told["UV_DEFAULT_INDEX"] == "https://mirror/simple"
    assert told["UV_INDEX"] == "https://a https://b"
    assert told["UV_FIND_LINKS"] == "/one,/two"
    assert told["UV_PYTHON_INSTALL_DIR"] == str(tmp_path / "pythons")


def test_settings_file_that_is_broken_does_not_stop_the_set_up(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("this is no settings file")
    assert "index-url" not in pip_settings({"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")})
