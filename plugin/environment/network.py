"""QGIS's proxy and certificate authorities, as variables that installers understand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from qgis.core import QgsApplication, QgsNetworkAccessManager
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtNetwork import (
    QNetworkProxy,
    QNetworkProxyFactory,
    QNetworkProxyQuery,
    QSslCertificate,
)

_SCHEMES = {
    QNetworkProxy.ProxyType.HttpProxy: "http",
    QNetworkProxy.ProxyType.HttpCachingProxy: "http",
    QNetworkProxy.ProxyType.Socks5Proxy: "socks5h",
}
# Whatever address stands here, the system answers with the proxy for the wide world.
_ANYWHERE = "https://example.org"
_CERTIFICATE_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Network:
    """What installers are told, what must not be written anywhere, and sentences for the log."""

    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    authorities: str = ""


def qgis_network() -> Network:
    """The network settings of QGIS; to be asked in the main thread."""
    manager = QgsNetworkAccessManager.instance()
    manager.setupDefaultProxyAndCache()
    proxy = manager.fallbackProxy()
    if proxy.type() == QNetworkProxy.ProxyType.DefaultProxy and manager.useSystemProxy():
        found = QNetworkProxyFactory.systemProxyForQuery(QNetworkProxyQuery(QUrl(_ANYWHERE)))
        proxy = found[0] if found else proxy
    excluded = [*manager.excludeList(), *manager.noProxyList()]
    variables, secrets, notes = proxy_variables(proxy, excluded)
    authorities = _extra_authorities()
    if authorities:
        notes.append(f"{len(authorities)} certificate authorities of QGIS are passed on.")
    return Network(variables, tuple(secrets), tuple(notes), _bundle(authorities))


def proxy_variables(
    proxy: QNetworkProxy, excluded: list[str]
) -> tuple[dict[str, str], list[str], list[str]]:
    """Variables, secrets and notes for a proxy; none where it is not one to be told."""
    scheme = _SCHEMES.get(proxy.type())
    if scheme is None or not proxy.hostName():
        return {}, [], []
    place = f"{proxy.hostName()}:{proxy.port()}"
    user, password = quote(proxy.user(), safe=""), quote(proxy.password(), safe="")
    login = f"{user}:{password}@" if user else ""
    address = f"{scheme}://{login}{place}"
    variables = {
        spelled: address
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        for spelled in (name, name.lower())
    }
    hosts = [QUrl(text).host() or text for text in excluded if text]
    if hosts:
        variables |= {"NO_PROXY": ",".join(hosts), "no_proxy": ",".join(hosts)}
    secrets = [part for part in (password, proxy.password()) if part]
    notes = [f"Downloads go through the proxy of QGIS, {scheme}://{place}."]
    return variables, secrets, notes


def with_authorities(variables: Mapping[str, str], network: Network, file: Path) -> dict[str, str]:
    """`variables` and those of `network`; certificate authorities are written to `file`.

    The authorities that were set for installers before stay trusted too.
    """
    told = {**variables, **network.variables}
    if not network.authorities:
        return told
    parts = [network.authorities]
    for name in _CERTIFICATE_VARIABLES:
        before = Path(variables.get(name, ""))
        if before.is_file():
            parts.append(before.read_text(encoding="utf-8", errors="replace"))
            break
    file.write_text("\n".join(parts), encoding="utf-8")
    return told | dict.fromkeys(_CERTIFICATE_VARIABLES, str(file))


def _extra_authorities() -> list[QSslCertificate]:
    """The authorities that the user added to QGIS, beside those of the system."""
    manager = QgsApplication.authManager()
    if manager is None or manager.isDisabled():
        return []
    return [*manager.extraFileCAs(), *manager.databaseCAs()]


def _bundle(authorities: list[QSslCertificate]) -> str:
    if not authorities:
        return ""
    certificates = [*authorities, *QgsApplication.authManager().systemRootCAs()]
    return "".join(bytes(one.toPem()).decode("ascii") for one in certificates)
