"""What a kubeconfig says: where the API server is, how its certificate is judged and who we are there.

The official client reads the file, runs its login command and renews its tokens. Its API classes and typed models stay
unused: to load them takes longer than a whole check, they cost three to five times the time, and they reject what newer
servers add. To load the rest takes a fifth of the time in which a command on the terminal should be over, so the
plainest of files, which is what docs/setup.md makes, is read without it.
"""

import base64
import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any
from urllib.parse import urlsplit

import yaml

from backends.kubernetes.settings import KubernetesSettings
from bot.model.errors import Rejected
from bot.model.wording import tr

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Access:
    """The way to one cluster's API server."""

    host: str
    tls: ssl.SSLContext
    authorization: Callable[[], Headers]
    """Headers that say who we are, to be asked for at each reading, on a worker thread: a login command's token is
    renewed in here. Where the command fails, the old token stays, and the server says what it thinks of it."""
    tls_server_name: str | None = None
    """The name that the certificate must show; None for the server's own."""
    proxy: str | None = None

    @property
    def server(self) -> tuple[IPv4Address, int] | None:
        """Address and port of the API server; None when the kubeconfig has a name, or asks through a proxy."""
        url = urlsplit(self.host)
        try:
            return None if self.proxy else (IPv4Address(url.hostname or ""), url.port or 443)
        except ValueError:
            return None


def plainly(settings: KubernetesSettings) -> Access | None:
    """What a file says that has a server, its authority and a token, and nothing else.

    None for every other one, also for one with faults: the library knows the rest. Blocks.
    """
    if any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    try:
        document = yaml.safe_load(settings.kubeconfig.read_bytes())
        context = _named(document["contexts"], settings.context or document["current-context"])["context"]
        cluster = _named(document["clusters"], context["cluster"])["cluster"]
        user = _named(document["users"], context["user"])["user"]
        if cluster.keys() != {"server", "certificate-authority-data"} or user.keys() != {"token"} or not user["token"]:
            return None
        tls = _context()
        tls.load_verify_locations(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode("ascii"))
        headers = {"authorization": f"Bearer {_sendable(user['token'])}"}
        host = cluster["server"].rstrip("/")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError):
        return None
    return Access(host, tls, lambda: headers) if urlsplit(host).scheme == "https" else None


def _sendable(token: str) -> str:
    """Without blanks and line ends around it. Raises ValueError for what no header can carry."""
    if not re.fullmatch(r"[!-~]+", token := token.strip()):
        raise ValueError("token")
    return token


def _named(entries: Any, name: str) -> Any:
    """The one entry of that name. Raises ValueError for none or several."""
    [entry] = [entry for entry in entries if entry["name"] == name]
    return entry


# --- by the official client ------------------------------------------------------------------------------------


def load_library() -> None:
    """Load everything that is needed of the client, on the thread of the event loop, where all libraries are loaded.

    Two threads that load libraries with common parts (`requests` here and below WinRM) meet them half loaded.
    """
    from kubernetes import config
    from kubernetes.client import Configuration, rest

    del config, rest, Configuration  # loaded; those who need them find them


def by_library(cluster: str, settings: KubernetesSettings) -> Access:
    """Reads the kubeconfig, explicitly: never the credentials of a pod the bot may run in.

    Raises Rejected when the file cannot be used, and so does `authorization` later. May run the login command that the
    file names. Blocks.
    """
    from kubernetes import client, config

    configuration = client.Configuration()

    def authorization() -> Headers:
        with _explained(cluster, settings):
            return _authorization(configuration)

    with _explained(cluster, settings):
        config.load_kube_config(  # type: ignore[no-untyped-call]
            str(settings.kubeconfig), settings.context, client_configuration=configuration, persist_config=False
        )
        access = Access(
            configuration.host,
            _tls_context(configuration),
            authorization,
            configuration.tls_server_name or None,
            _proxy(configuration),
        )
        if urlsplit(access.host).scheme == "https" and not (access.authorization() or configuration.cert_file):
            # The library goes on without a word when a login command fails, as somebody who may do nothing.
            raise config.ConfigException(tr("it has no credentials, or its login command fails"))
    return access


@contextmanager
def _explained(cluster: str, settings: KubernetesSettings) -> Iterator[None]:
    """Turns whatever goes wrong into Rejected: the library lets YAML, type and file errors of any kind through."""
    from kubernetes.config import ConfigException

    try:
        yield
    except Rejected:
        raise
    except Exception as error:
        raise Rejected(
            cluster,
            tr(
                "cannot use the kubeconfig {kubeconfig} ({reason}); check the file and its context",
                kubeconfig=settings.kubeconfig,
                reason=str(error) if isinstance(error, ConfigException) else type(error).__name__,
            ),
        ) from error


def _authorization(configuration: Any) -> Headers:
    """Raises ConfigException for a token that cannot be sent."""
    from kubernetes.config import ConfigException

    login = configuration.auth_settings().get("BearerToken")
    if not login or not login["value"]:
        return {}
    scheme, _, token = login["value"].partition(" ")  # Bearer or Basic
    try:
        return {login["key"]: f"{scheme} {_sendable(token)}"}
    except ValueError:
        raise ConfigException(
            tr("its token has a line end, a blank or another character in it that no token has")
        ) from None


def _proxy(configuration: Any) -> str | None:
    """The HTTP proxy of kubeconfig or environment. Raises ConfigException for another kind."""
    from kubernetes.client.rest import should_bypass_proxies
    from kubernetes.config import ConfigException

    proxy: str | None = configuration.proxy
    if not proxy or should_bypass_proxies(configuration.host, configuration.no_proxy or ""):
        return None
    if (scheme := urlsplit(proxy).scheme) not in ("http", "https"):
        raise ConfigException(tr("only HTTP proxies can be used, not {scheme}", scheme=scheme))
    return proxy


def _tls_context(configuration: Any) -> ssl.SSLContext:
    context = _context()
    if not configuration.verify_ssl:  # the file's insecure-skip-tls-verify
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif configuration.ssl_ca_cert:
        context.load_verify_locations(configuration.ssl_ca_cert)
    else:
        context.load_default_certs()
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


def _context() -> ssl.SSLContext:
    """Trusts nobody yet. `ssl.create_default_context` is strict since Python 3.13 about fields that CAs often lack."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
