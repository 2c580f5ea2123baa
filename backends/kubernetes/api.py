"""One cluster's API server, read on the event loop.

Silence has a time limit and an answer a largest size; a deadline for the whole is the caller's.
"""

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from backends.kubernetes.access import Access
from backends.kubernetes.answers import Absent, Expired, Read, Refused
from backends.kubernetes.settings import KubernetesSettings
from bot.model.errors import Rejected, Unreachable
from bot.model.wording import tr

Json = dict[str, Any]
_PAGE = 500
_MAX_BYTES = 64 * 1024 * 1024  # of one page; 500 nodes with their images are about 4 MB
_MAX_REFUSAL = 64 * 1024
_CONNECTIONS = 16
_IDLE_S = 60.0  # load balancers in front of API servers forget idle connections after some minutes


class Api:
    """Kept-alive connections to one API server. To be made where an event loop runs, and closed there."""

    def __init__(self, cluster: str, settings: KubernetesSettings, access: Access) -> None:
        self._cluster = cluster
        self._settings = settings
        self.access = access
        self._host = access.host
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=access.tls, limit=_CONNECTIONS, keepalive_timeout=_IDLE_S),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "k8snet"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=settings.connect_timeout_s, sock_read=settings.read_timeout_s
            ),
        )

    async def close(self) -> None:
        await self._session.close()

    async def read_one(self, read: Read, authorization: Mapping[str, str]) -> Json:
        """One object. Raises Absent or a BackendError."""
        return await self._call(read, authorization, {})

    async def read_all(self, read: Read, authorization: Mapping[str, str]) -> list[Json]:
        """All objects, page by page; from the start once more if the server forgets where we were.

        Raises Absent or a BackendError.
        """
        try:
            return await self._pages(read, authorization)
        except Expired:
            pass
        try:
            return await self._pages(read, authorization)
        except Expired:
            raise Unreachable(
                self._cluster, tr("{host} keeps forgetting a list while we read it", host=self._host)
            ) from None

    async def _pages(self, read: Read, authorization: Mapping[str, str]) -> list[Json]:
        items: list[Json] = []
        options = {"limit": str(_PAGE)}
        while True:
            page = await self._call(read, authorization, options)
            found, metadata = page.get("items") or [], page.get("metadata") or {}
            if not str(page.get("kind")).endswith("List"):  # anybody's `{}` is not a cluster without services
                raise self._garbled()
            if not isinstance(found, list) or not isinstance(metadata, dict):
                raise self._garbled()
            items += found
            if not metadata.get("continue"):
                return items
            options["continue"] = str(metadata["continue"])

    async def _call(self, read: Read, authorization: Mapping[str, str], options: Mapping[str, str]) -> Json:
        if self._session.closed:  # by another reading, whose credentials were refused, or at the end
            raise self._unreachable(aiohttp.ServerDisconnectedError())
        try:
            async with self._session.get(
                URL(self._host + read.path).with_query(options),
                headers=authorization,
                allow_redirects=False,  # our credentials are for this server only
                proxy=self.access.proxy,
                server_hostname=self.access.tls_server_name,
            ) as response:
                accepted = 200 <= response.status < 300
                # Of an answer that is no yes only the status counts; it is taken in to use the connection again.
                body = await _taken(response, _MAX_BYTES if accepted else _MAX_REFUSAL)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise self._unreachable(error) from error
        if not accepted:
            raise self._refused(response.status, read)
        if body is None:
            raise Rejected(
                self._cluster,
                tr("{host} sent more than {most} MB in one answer", host=self._host, most=_MAX_BYTES >> 20),
            )
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise self._garbled() from None
        if not isinstance(document, dict):
            raise self._garbled()
        return document

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
        match error:
            case aiohttp.ClientSSLError():
                reason = tr("its certificate is not the one the kubeconfig trusts, or it does not speak TLS")
            case TimeoutError():
                reason = tr("no answer in time")
            case aiohttp.ClientConnectorDNSError():
                reason = tr("its name is unknown here")
            case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
                reason = tr("nobody listens there")
            case aiohttp.ClientConnectorError():
                reason = tr("no way there")
            case aiohttp.ClientError() | OSError():
                reason = tr("the connection broke")
            case _:
                reason = type(error).__name__
        return Unreachable(
            self._cluster,
            tr("cannot reach {host}: {reason}; check it and the way to it", host=self._host, reason=reason),
        )


async def _taken(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The whole body; None when it is larger, and the connection is then not used again."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most:
            response.close()
            return None
    return bytes(body)
