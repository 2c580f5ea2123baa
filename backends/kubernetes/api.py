"""The official client, which blocks, wrapped once: every call has a time limit, no call is repeated by the library.

It brings kubeconfig, credentials, TLS and connections. Its API classes and typed models stay unused: to load them takes
longer than a whole check, they cost three to five times the time, and they reject what newer servers add.
"""

import contextlib
import json
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from backends.kubernetes.settings import KubernetesSettings
from bot.model.errors import BackendError, Rejected, Unreachable
from bot.model.wording import tr

if TYPE_CHECKING:
    from backends.kubernetes.lines import Line

Json = dict[str, Any]
_PAGE = 500
_MAX_BYTES = 64 * 1024 * 1024  # of one page; 500 nodes with their images are about 4 MB
_MAX_REFUSAL = 64 * 1024  # of an answer that is no yes, and of which only the status counts


class Read(NamedTuple):
    """One thing to ask: its path below the server's address, and the right it needs, in words for people."""

    path: str
    right: str


class Absent(Exception):
    """404: the cluster has no such object or is too old to have such a kind."""


class Expired(Exception):
    """410: the server has forgotten the state that a list was being read from."""


class Refused(Rejected):
    """401 or 403. `credentials` is true when the account itself was not accepted."""

    def __init__(self, system: str, problem: str, *, credentials: bool) -> None:
        super().__init__(system, problem)
        self.credentials = credentials


def load_library() -> None:
    """Load everything that is needed of the client, on the thread of the event loop, where all libraries are loaded.

    Two threads that load libraries with common parts (`requests` here and below WinRM) meet them half loaded.
    """
    import urllib3.exceptions
    from kubernetes import config
    from kubernetes.client import ApiClient, Configuration

    from backends.kubernetes import lines

    del urllib3, config, lines, ApiClient, Configuration  # loaded; those who need them find them


class Api:
    """One cluster's API server. Every method blocks: call it from a worker thread."""

    def __init__(self, cluster: str, settings: KubernetesSettings) -> None:
        """Reads the kubeconfig, explicitly: never the credentials of a pod the bot may run in.

        Raises Rejected when the file cannot be used. May run the login command that the file names.
        """
        from kubernetes import client, config

        from backends.kubernetes.lines import POOLS

        self._cluster = cluster
        self._settings = settings
        configuration = client.Configuration()
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                str(settings.kubeconfig), settings.context, client_configuration=configuration, persist_config=False
            )
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
        configuration.retries = False
        configuration.connection_pool_maxsize = 16
        self._host = configuration.host
        self._proxied = bool(configuration.proxy)
        self._client = client.ApiClient(configuration)
        self._client.rest_client.pool_manager.pool_classes_by_scheme = POOLS

    @property
    def server(self) -> tuple[IPv4Address, int] | None:
        """Address and port of the API server; None when the kubeconfig has a name, or asks through a proxy."""
        url = urlsplit(self._host)
        try:
            return None if self._proxied else (IPv4Address(url.hostname or ""), url.port or 443)
        except ValueError:
            return None

    def close(self) -> None:
        """Close the connections now: the client itself leaves that to the garbage collector."""
        pools = self._client.rest_client.pool_manager.pools
        for key in pools.keys():  # noqa: SIM118 (not a dict: it cannot be iterated)
            pools[key].close()
        self._client.close()  # type: ignore[no-untyped-call]

    def read_one(self, read: Read, line: "Line") -> Json:
        """One object. Raises Absent or a BackendError."""
        return self._call(read, line, {})

    def read_all(self, read: Read, line: "Line") -> list[Json]:
        """All objects, page by page; from the start once more if the server forgets where we were."""
        try:
            return self._pages(read, line)
        except Expired:
            pass
        try:
            return self._pages(read, line)
        except Expired:
            raise Unreachable(
                self._cluster, tr("{host} keeps forgetting a list while we read it", host=self._host)
            ) from None

    def _pages(self, read: Read, line: "Line") -> list[Json]:
        items: list[Json] = []
        options: dict[str, Any] = {"limit": _PAGE}
        while True:
            page = self._call(read, line, options)
            found, metadata = page.get("items") or [], page.get("metadata") or {}
            if not str(page.get("kind")).endswith("List"):  # anybody's `{}` is not a cluster without services
                raise self._garbled()
            if not isinstance(found, list) or not isinstance(metadata, dict):
                raise self._garbled()
            items += found
            if not metadata.get("continue"):
                return items
            options["continue"] = metadata["continue"]

    def _call(self, read: Read, line: "Line", options: Mapping[str, Any]) -> Json:
        remaining = line.remaining()
        if remaining <= 0:
            raise self._late()
        timeout = (min(self._settings.connect_timeout_s, remaining), min(self._settings.read_timeout_s, remaining))
        try:
            with line.request():
                response = self._send(read, options, timeout)
                accepted = 200 <= response.status < 300
                body = self._body(response, line) if accepted else self._drained(response, line)
        except BackendError:
            raise
        except Exception as error:
            raise self._unreachable(error) from error
        if not accepted:
            raise self._refused(response.status, read)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise self._garbled() from None
        if not isinstance(document, dict):
            raise self._garbled()
        return document

    def _send(self, read: Read, options: Mapping[str, Any], timeout: tuple[float, float]) -> Any:
        """The answer's head; its body is still to come."""
        from urllib3 import Timeout

        headers = {"Accept": "application/json", "User-Agent": "k8snet"}
        # Asked for every time: a login command's token is renewed in here.
        if token := self._client.configuration.auth_settings().get("BearerToken"):
            headers[token["key"]] = token["value"]
        return self._client.rest_client.pool_manager.request(
            "GET",
            self._host + read.path,
            fields=options,
            headers=headers,
            timeout=Timeout(*timeout),
            preload_content=False,
            redirect=False,  # our credentials are for this server only
        )

    def _drained(self, response: Any, line: "Line") -> bytes:
        """Nothing: the body is only taken in so that the connection can be used again, if it is short."""
        with contextlib.suppress(BackendError):
            self._body(response, line, _MAX_REFUSAL)
        return b""

    def _body(self, response: Any, line: "Line", most: int = _MAX_BYTES) -> bytes:
        """The whole body."""
        body = bytearray()
        try:
            for chunk in response.stream(65536, decode_content=True):
                body += chunk
                if not line.remaining():
                    raise self._late()
                if len(body) > most:
                    raise Rejected(
                        self._cluster,
                        tr("{host} sent more than {most} MB in one answer", host=self._host, most=most >> 20),
                    )
        except BaseException:
            response.close()  # half-read: not fit for another request
            raise
        response.release_conn()
        return bytes(body)

    def _late(self) -> Unreachable:
        return Unreachable(
            self._cluster, tr("{host} did not answer in time; check it and the way to it", host=self._host)
        )

    def _garbled(self) -> Unreachable:
        return Unreachable(
            self._cluster, tr("{host} answered, but not as a Kubernetes API server does", host=self._host)
        )

    def _refused(self, status: int, read: Read) -> Exception:
        """What a status that is no yes means."""
        match status:
            case 401:
                problem = tr(
                    "{host} does not accept our credentials; renew those in {kubeconfig}",
                    host=self._host,
                    kubeconfig=self._settings.kubeconfig,
                )
                return Refused(self._cluster, problem, credentials=True)
            case 403:
                return Refused(
                    self._cluster, tr("our account may not {right}", right=tr(read.right)), credentials=False
                )
            case 404:
                return Absent(tr(read.right))
            case 410:
                return Expired(tr(read.right))
            case _ if 400 <= status < 500 and status != 429:
                return Rejected(
                    self._cluster,
                    tr(
                        "{host} refused to {right} (HTTP {status})",
                        host=self._host,
                        right=tr(read.right),
                        status=status,
                    ),
                )
            case _ if status >= 500 or status == 429:
                return Unreachable(
                    self._cluster,
                    tr(
                        "{host} could not {right} (HTTP {status}); try again",
                        host=self._host,
                        right=tr(read.right),
                        status=status,
                    ),
                )
        return self._garbled()

    def _unreachable(self, error: Exception) -> Unreachable:
        """Why there was no whole answer."""
        from urllib3 import exceptions

        match error:
            case exceptions.SSLError():
                reason = tr("its certificate is not the one the kubeconfig trusts, or it does not speak TLS")
            case exceptions.TimeoutError() if not isinstance(error, exceptions.NewConnectionError):
                reason = tr("no answer in time")
            case exceptions.NameResolutionError():
                reason = tr("its name is unknown here")
            case exceptions.NewConnectionError() if isinstance(error.__cause__, ConnectionRefusedError):
                reason = tr("nobody listens there")
            case exceptions.NewConnectionError():
                reason = tr("no way there")
            case exceptions.HTTPError() | OSError():
                reason = tr("the connection broke")
            case _:
                reason = type(error).__name__
        return Unreachable(
            self._cluster,
            tr("cannot reach {host}: {reason}; check it and the way to it", host=self._host, reason=reason),
        )
