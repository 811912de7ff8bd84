"""QGIS's proxy and authorities reach the installers; passwords reach nothing else."""

from pathlib import Path

import pytest
from qgis.core import QgsSettings
from qgis.PyQt.QtNetwork import QNetworkProxy
from terraweave.plugin.environment.child import hidden, run_child
from terraweave.plugin.environment.network import (
    Network,
    proxy_variables,
    qgis_network,
    with_authorities,
)

pytestmark = pytest.mark.usefixtures("qgis_app")
PASSWORD = "p@ss/word"  # noqa: S105


def test_proxy_with_a_password_becomes_variables() -> None:
    proxy = QNetworkProxy(
        QNetworkProxy.ProxyType.HttpProxy, "proxy.example", 3128, "Žofie", PASSWORD
    )
    variables, secrets, notes = proxy_variables(proxy, ["https://intranet.example/x", "10.0.0.1"])
    assert variables["HTTPS_PROXY"] == "http://%C5%BDofie:p%40ss%2Fword@proxy.example:3128"
    assert variables["https_proxy"] == variables["HTTP_PROXY"] == variables["ALL_PROXY"]
    assert variables["NO_PROXY"] == "intranet.example,10.0.0.1"
    assert PASSWORD in secrets
    assert PASSWORD not in " ".join(notes)
    assert "proxy.example:3128" in notes[0]


def test_no_proxy_sets_nothing() -> None:
    assert proxy_variables(QNetworkProxy(QNetworkProxy.ProxyType.NoProxy), []) == ({}, [], [])


def test_proxy_in_the_settings_of_qgis_is_found() -> None:
    settings = QgsSettings()
    told = {
        "proxyEnabled": True, "proxyType": "HttpProxy", "proxyHost": "proxy.example",
        "proxyPort": "8080", "proxyUser": "u", "proxyPassword": "secret-word",
    }  # fmt: skip
    for key, value in told.items():
        settings.setValue(f"proxy/{key}", value)
    try:
        found = qgis_network()
    finally:
        settings.remove("proxy")
        qgis_network()
    assert found.variables["HTTPS_PROXY"] == "http://u:secret-word@proxy.example:8080"
    assert found.secrets == ("secret-word", "secret-word")


def test_authorities_join_those_that_were_trusted_before(tmp_path: Path) -> None:
    before = tmp_path / "before.pem"
    before.write_text("OLD AUTHORITY")
    file = tmp_path / "all.pem"
    told = with_authorities({"SSL_CERT_FILE": str(before)}, Network(authorities="NEW"), file)
    assert told["PIP_CERT"] == told["SSL_CERT_FILE"] == told["REQUESTS_CA_BUNDLE"] == str(file)
    assert file.read_text() == "NEW\nOLD AUTHORITY"


def test_without_authorities_of_qgis_nothing_changes(tmp_path: Path) -> None:
    given = {"SSL_CERT_FILE": "/etc/x.pem"}
    assert with_authorities(given, Network(), tmp_path / "all.pem") == given
    assert not (tmp_path / "all.pem").exists()


def test_secrets_reach_no_log(tmp_path: Path) -> None:
    log = (tmp_path / "log").open("w+")
    command = ["/bin/sh", "-c", "echo use http://me:secret-word@proxy:1 or secret-word"]
    heard: list[str] = []
    with log:
        outcome = run_child(command, {}, log=log, tell=heard.append, secrets=("secret-word",))
        log.seek(0)
        kept = log.read() + outcome.text + "".join(heard)
    assert "secret-word" not in kept
    assert "use http://***@proxy:1 or ***" in kept


def test_login_of_an_index_is_hidden_even_if_nobody_said_it_is_secret() -> None:
    assert hidden("--index-url https://me:pw@index/simple", ()) == (
        "--index-url https://***@index/simple"
    )
