"""What a kubeconfig says: where the API server is, how its certificate is judged and who we are there.

The official client reads the file, runs its login command and renews its tokens. Its API classes and typed models stay
unused: to load them takes longer than a whole check, they cost three to five times the time, and they reject what newer
servers add.
"""

import ssl
from ipaddress import IPv4Address
from typing import Any
from urllib.parse import urlsplit

from backends.kubernetes.settings import KubernetesSettings
from bot.model.errors import Rejected
from bot.model.wording import tr


def load_library() -> None:
    """Load everything that is needed of the client, on the thread of the event loop, where all libraries are loaded.

    Two threads that load libraries with common parts (`requests` here and below WinRM) meet them half loaded.
    """
    from kubernetes import config
    from kubernetes.client import Configuration, rest

    del config, rest, Configuration  # loaded; those who need them find them


class Access:
    """The way to one cluster's API server. Blocks: to be made, and asked for authorization, on a worker thread."""

    def __init__(self, cluster: str, settings: KubernetesSettings) -> None:
        """Reads the kubeconfig, explicitly: never the credentials of a pod the bot may run in.

        Raises Rejected when the file cannot be used. May run the login command that the file names.
        """
        from kubernetes import client, config

        self._configuration = configuration = client.Configuration()
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                str(settings.kubeconfig), settings.context, client_configuration=configuration, persist_config=False
            )
            self.host = configuration.host
            self.proxy = _proxy(configuration)
            self.tls = _tls_context(configuration)
            if urlsplit(self.host).scheme == "https" and not (self.authorization() or configuration.cert_file):
                # The library goes on without a word when a login command fails, as somebody who may do nothing.
                raise config.ConfigException(tr("it has no credentials, or its login command fails"))
        except Exception as error:  # the loader lets YAML, type and file errors of any kind through
            reason = str(error) if isinstance(error, config.ConfigException) else type(error).__name__
            raise Rejected(
                cluster,
                tr(
                    "cannot use the kubeconfig {kubeconfig} ({reason}); check the file and its context",
                    kubeconfig=settings.kubeconfig,
                    reason=reason,
                ),
            ) from error

    @property
    def tls_server_name(self) -> str | None:
        """The name that the certificate must show; None for the server's own."""
        return self._configuration.tls_server_name or None

    @property
    def server(self) -> tuple[IPv4Address, int] | None:
        """Address and port of the API server; None when the kubeconfig has a name, or asks through a proxy."""
        url = urlsplit(self.host)
        try:
            return None if self.proxy else (IPv4Address(url.hostname or ""), url.port or 443)
        except ValueError:
            return None

    def authorization(self) -> dict[str, str]:
        """Headers that say who we are. To be asked for at each reading: a login command's token is renewed in here.

        Where the command fails, the library keeps to the old token, and the server says what it thinks of it.
        """
        token = self._configuration.auth_settings().get("BearerToken")
        value = token["value"] if token else None
        return {token["key"]: value} if token and value else {}


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
    # Not ssl.create_default_context: since Python 3.13 that is strict about fields that many clusters' own CAs lack.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
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
