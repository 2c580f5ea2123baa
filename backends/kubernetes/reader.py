"""Reads one cluster: all lists at once, within one deadline."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, TypeVar

from backends.kubernetes.access import by_library, load_library, plainly
from backends.kubernetes.answers import Absent, Expired, Read, Refused
from backends.kubernetes.mapping import Raw, cluster_facts
from backends.kubernetes.settings import KubernetesSettings
from bot.model.errors import BackendError, Rejected, Unreachable
from bot.model.facts import ClusterFacts
from bot.model.wording import marked, tr

if TYPE_CHECKING:
    from backends.kubernetes.api import Api

T = TypeVar("T")

_LISTS = {
    "namespaces": Read("/api/v1/namespaces", marked("list namespaces")),
    "services": Read("/api/v1/services", marked("list services in all namespaces")),
    "nodes": Read("/api/v1/nodes", marked("list nodes")),
    "leases": Read(
        "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
        marked("list leases (coordination.k8s.io) in namespace kube-node-lease"),
    ),
    "endpointslices": Read(
        "/apis/discovery.k8s.io/v1/endpointslices", marked("list endpointslices (discovery.k8s.io) in all namespaces")
    ),
}
_SERVICE_CIDRS = tuple(
    Read(f"/apis/networking.k8s.io/{version}/servicecidrs", marked("list servicecidrs (networking.k8s.io)"))
    for version in ("v1", "v1beta1")  # 1.33 and newer; 1.31 and 1.32
)
_OBJECTS = {
    "version": Read("/version", marked("get /version")),
    **{
        key: Read(
            f"/api/v1/namespaces/kube-system/configmaps/{name}",
            right,
        )
        for key, name, right in (
            ("coredns", "coredns", marked("get the configmap coredns in namespace kube-system")),
            ("kubeadm_config", "kubeadm-config", marked("get the configmap kubeadm-config in namespace kube-system")),
            ("kube_proxy", "kube-proxy", marked("get the configmap kube-proxy in namespace kube-system")),
        )
    },
}
_REQUIRED = ("namespaces", "services")


class KubernetesReader:
    """`ClusterReader` over the API server. `cluster` is the name from app.yaml; it is the system in every error."""

    def __init__(self, cluster: str, settings: KubernetesSettings) -> None:
        """Neither the kubeconfig nor the network is touched before the first `facts`."""
        self._cluster = cluster
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, f"k8snet-{cluster}")
        self._api: asyncio.Task[Api] | None = None
        self._closed = False

    def server(self) -> tuple[IPv4Address, int] | None:
        """Where the API server stands, as far as the kubeconfig tells by a number."""
        return api.access.server if (api := self._made()) is not None else None

    async def facts(self) -> ClusterFacts:
        if self._closed:
            raise self._at_its_end()
        try:
            async with asyncio.timeout(self._settings.deadline_s) as limit:
                api = await self._connected()
                authorization = await self._authorization(api)
        except TimeoutError:
            raise Unreachable(
                self._cluster,
                tr(
                    "the login command in {kubeconfig} does not finish; run it by hand",
                    kubeconfig=self._settings.kubeconfig,
                ),
            ) from None
        answers = await self._read(api, authorization, limit.when() or 0.0)
        if any(isinstance(answer, Refused) and answer.credentials for answer in answers.values()):
            await self._drop(api)
        for name in _REQUIRED:
            if isinstance(answer := answers[name], BackendError):
                raise answer
        problems = [f"{name}: {answer.problem}" for name, answer in answers.items() if isinstance(answer, BackendError)]
        readable = {name: answer for name, answer in answers.items() if not isinstance(answer, BackendError)}
        try:
            return cluster_facts(self._cluster, Raw(**readable, unreadable=tuple(problems)), self._settings)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Unreachable(
                self._cluster,
                tr("the API server's answer has not the form of Kubernetes ({name})", name=type(error).__name__),
            ) from error

    async def _authorization(self, api: "Api") -> Mapping[str, str]:
        try:
            return await self._on_thread(api.access.authorization)
        except Rejected:
            await self._drop(api)
            raise

    async def _drop(self, api: "Api") -> None:
        """Credentials may have been renewed in the file: it is read again next time."""
        if self._made() is api:
            self._api = None
        await api.close()

    async def close(self) -> None:
        """A login command under way ends by itself."""
        self._closed = True
        if (api := self._made()) is not None:
            await api.close()
        self._thread.shutdown(wait=False)

    def _at_its_end(self) -> Unreachable:
        return Unreachable(self._cluster, tr("the reader is closed"))

    def _made(self) -> "Api | None":
        task = self._api
        made = task is not None and task.done() and not task.cancelled() and task.exception() is None
        return task.result() if task is not None and made else None

    async def _on_thread(self, work: Callable[..., T], *values: Any) -> T:
        if self._closed:
            raise self._at_its_end()
        return await asyncio.get_running_loop().run_in_executor(self._thread, copy_context().run, work, *values)

    async def _connected(self) -> "Api":
        """The client, made once. A login command that hangs is waited for again by the next call, not run again."""
        connecting = self._api = self._api or asyncio.create_task(self._connect())
        try:
            return await asyncio.shield(connecting)
        except Exception:
            if self._api is connecting:  # and nobody has begun anew since
                self._api = None  # the file may be mended meanwhile
            raise

    async def _connect(self) -> "Api":
        from backends.kubernetes.api import Api

        access = await self._on_thread(plainly, self._settings)
        if access is None:
            load_library()
            access = await self._on_thread(by_library, self._cluster, self._settings)
        if self._closed:
            raise self._at_its_end()
        return Api(self._cluster, self._settings, access)

    async def _read(self, api: "Api", authorization: Mapping[str, str], until: float) -> dict[str, Any]:
        """Every read's answer, or the BackendError that took its place. `until` is a moment of the loop's clock."""
        tasks: dict[str, asyncio.Task[Any]] = {
            **{key: asyncio.create_task(api.read_all(read, authorization)) for key, read in _LISTS.items()},
            **{key: asyncio.create_task(_object(api, read, authorization)) for key, read in _OBJECTS.items()},
            "servicecidrs": asyncio.create_task(_service_cidrs(api, authorization)),
        }
        try:
            await asyncio.wait(tasks.values(), timeout=until - asyncio.get_running_loop().time())
            return {key: self._outcome(task) for key, task in tasks.items()}
        finally:
            late = [task for task in tasks.values() if task.cancel()]
            await asyncio.gather(*late, return_exceptions=True)

    def _outcome(self, task: "asyncio.Future[Any]") -> Any:
        if not task.done():
            return Unreachable(
                self._cluster, tr("no answer in time ({deadline_s:g} s)", deadline_s=self._settings.deadline_s)
            )
        match task.exception():
            case None:
                return task.result()
            case BackendError() as error:
                return error
            case Absent() | Expired():
                return Unreachable(self._cluster, tr("the API server does not know it"))
            case error:
                raise error


async def _object(api: "Api", read: Read, authorization: Mapping[str, str]) -> dict[str, Any]:
    """An object that a cluster may well not have; then it is empty."""
    try:
        return await api.read_one(read, authorization)
    except Absent:
        return {}


async def _service_cidrs(api: "Api", authorization: Mapping[str, str]) -> list[dict[str, Any]]:
    """None on clusters older than 1.31, which do not know the kind."""
    for read in _SERVICE_CIDRS:
        try:
            return await api.read_all(read, authorization)
        except Absent:
            continue
    return []
