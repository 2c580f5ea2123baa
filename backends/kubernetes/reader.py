"""Reads one cluster: all lists at once, on threads of its own, within one deadline."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from backends.kubernetes.api import Absent, Api, Expired, Read, Refused, load_library
from backends.kubernetes.mapping import Raw, cluster_facts
from backends.kubernetes.settings import KubernetesSettings
from bot.model.errors import BackendError, Unreachable
from bot.model.facts import ClusterFacts
from bot.model.wording import marked, tr

if TYPE_CHECKING:
    from backends.kubernetes.lines import Line

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
        self._threads = ThreadPoolExecutor(len(_LISTS) + len(_OBJECTS) + 1, f"k8snet-{cluster}")
        self._api: asyncio.Future[Api] | None = None
        self._closed = False

    def server(self) -> tuple[IPv4Address, int] | None:
        """Where the API server stands, as far as the kubeconfig tells by a number."""
        api = self._api
        read = api is not None and api.done() and not api.cancelled() and api.exception() is None
        return api.result().server if api is not None and read else None

    async def facts(self) -> ClusterFacts:
        if self._closed:
            raise Unreachable(self._cluster, tr("the reader is closed"))
        deadline = time.monotonic() + self._settings.deadline_s
        api = await self._connected(deadline)
        answers = await self._read(api, deadline)
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

    async def close(self) -> None:
        """Calls under way end by their own time limits."""
        self._closed = True
        if self._api is not None and self._api.done() and not self._api.cancelled() and self._api.exception() is None:
            self._api.result().close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _connected(self, deadline: float) -> Api:
        """The client, made once. A login command that hangs is waited for again by the next call, not run again."""
        if self._api is None:
            load_library()
            loop = asyncio.get_running_loop()
            self._api = loop.run_in_executor(self._threads, copy_context().run, Api, self._cluster, self._settings)
        try:
            return await asyncio.wait_for(asyncio.shield(self._api), deadline - time.monotonic())
        except TimeoutError:
            raise Unreachable(
                self._cluster,
                tr(
                    "the login command in {kubeconfig} does not finish; run it by hand",
                    kubeconfig=self._settings.kubeconfig,
                ),
            ) from None
        except BackendError:
            self._api = None  # the file may be mended meanwhile
            raise

    async def _read(self, api: Api, deadline: float) -> dict[str, Any]:
        """Every read's answer, or the BackendError that took its place."""
        from backends.kubernetes.lines import Line  # loaded with the client by now

        loop = asyncio.get_running_loop()
        line = Line(deadline)

        def start(work: Callable[..., Any], *values: Any) -> asyncio.Future[Any]:
            return loop.run_in_executor(self._threads, copy_context().run, work, *values)

        tasks: dict[str, asyncio.Future[Any]] = {
            **{key: start(api.read_all, read, line) for key, read in _LISTS.items()},
            **{key: start(_object, api, read, line) for key, read in _OBJECTS.items()},
            "servicecidrs": start(_service_cidrs, api, line),
        }
        try:
            await asyncio.wait(tasks.values(), timeout=deadline - time.monotonic())
            answers = {key: self._outcome(task) for key, task in tasks.items()}
        finally:
            for task in tasks.values():
                task.cancel()
            line.cut()
        if any(isinstance(answer, Refused) and answer.credentials for answer in answers.values()):
            api.close()
            self._api = None  # credentials may have been renewed in the file: read it again next time
        return answers

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


def _object(api: Api, read: Read, line: "Line") -> dict[str, Any]:
    """An object that a cluster may well not have; then it is empty."""
    try:
        return api.read_one(read, line)
    except Absent:
        return {}


def _service_cidrs(api: Api, line: "Line") -> list[dict[str, Any]]:
    """None on clusters older than 1.31, which do not know the kind."""
    for read in _SERVICE_CIDRS:
        try:
            return api.read_all(read, line)
        except Absent:
            continue
    return []
