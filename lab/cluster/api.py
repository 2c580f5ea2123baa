"""The API server's HTTP side: discovery, reads, watches, access reviews."""

import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from aiohttp import web
from aiohttp.typedefs import Middleware

from lab.cluster.access import NOBODY, PUBLIC_PATHS, Account, Attempt, account_of
from lab.cluster.listing import Query, get_object, list_objects
from lab.cluster.model import Cluster
from lab.cluster.resources import Json, Resource, served
from lab.cluster.status import (
    ApiError,
    bad_request,
    forbidden,
    forbidden_path,
    method_not_allowed,
    unauthorized,
)
from lab.cluster.watching import check_watch, watch

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_RESOURCE_PATH = re.compile(r"(?:/api|/apis/([^/]+))/([^/]+)(?:/namespaces/([^/]+))?/([^/]+)(?:/([^/]+))?(?:/.*)?")


def api(cluster: Cluster) -> web.Application:
    """The application that answers as an API server in front of `cluster`."""
    server = _Api(cluster)
    application = web.Application(middlewares=[_errors, _faults(cluster), _authentication(server)])

    def add(path: str, handler: Handler) -> None:
        for spelling in (path, f"{path}/"):
            application.router.add_get(spelling, handler)

    add("/version", server.version)
    for path in ("/healthz", "/livez", "/readyz"):
        add(path, _ok)
    add("/api", server.core_versions)
    add("/apis", server.groups)
    for group_path, resources in server.group_versions.items():
        add(group_path, server.discovery(resources))
        for resource in resources:
            _add_resource(application, server, group_path, resource)
    application.router.add_post(_REVIEWS, server.review)
    application.router.add_route("*", "/{path:.*}", server.nowhere)
    return application


def _add_resource(application: web.Application, server: "_Api", base: str, resource: Resource) -> None:
    paths = [f"{base}/{resource.plural}"]
    if resource.namespaced:
        paths.append(f"{base}/namespaces/{{namespace}}/{resource.plural}")
    for path in paths:
        application.router.add_route("*", path, server.collection(resource))
    application.router.add_route("*", f"{paths[-1]}/{{name}}", server.single(resource))


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return web.json_response(error.document(), status=error.code, headers=error.headers)


def _faults(cluster: Cluster) -> Middleware:
    @web.middleware
    async def play(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await cluster.faults.play(request, handler)

    return play


def _authentication(server: "_Api") -> Middleware:
    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        account = server.account(request)
        if account is NOBODY and request.path.rstrip("/") not in PUBLIC_PATHS:
            raise forbidden_path(account.user, request.method.lower(), request.path)
        return await handler(request)

    return authenticate


async def _ok(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


class _Api:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.group_versions: dict[str, list[Resource]] = {}
        for resource in served(cluster.version):
            base = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
            self.group_versions.setdefault(base, []).append(resource)

    # Discovery -------------------------------------------------------------------------------------------------

    async def version(self, _request: web.Request) -> web.Response:
        release = self._cluster.version.removeprefix("v")
        patch = release if release.count(".") == 2 else f"{release}.0"
        return web.json_response(
            {
                "major": "1",
                "minor": str(self._cluster.minor),
                "gitVersion": f"v{patch}",
                "gitCommit": "",
                "gitTreeState": "clean",
                "buildDate": "1970-01-01T00:00:00Z",
                "goVersion": "",
                "compiler": "gc",
                "platform": "linux/amd64",
            }
        )

    async def core_versions(self, request: web.Request) -> web.Response:
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": request.host}]
        return web.json_response({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses})

    async def groups(self, _request: web.Request) -> web.Response:
        groups = []
        for name in dict.fromkeys(r.group for r in served(self._cluster.version) if r.group):
            version = {"groupVersion": f"{name}/v1", "version": "v1"}
            groups.append({"name": name, "versions": [version], "preferredVersion": version})
        return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    def discovery(self, resources: list[Resource]) -> Handler:
        async def handler(_request: web.Request) -> web.Response:
            return web.json_response(
                {
                    "kind": "APIResourceList",
                    "apiVersion": "v1",
                    "groupVersion": resources[0].api_version,
                    "resources": [_described(resource) for resource in resources],
                }
            )

        return handler

    # Reads -----------------------------------------------------------------------------------------------------

    def collection(self, resource: Resource) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            watching = request.query.get("watch", "") in ("true", "1", "True")
            namespace, name = request.match_info.get("namespace", ""), _single_name(request)
            verb = "watch" if watching else "list"
            self._authorize(request, verb, resource, namespace, name)
            query = Query.parse(resource, namespace, request.query)
            if watching:
                return await self._watch(request, query)
            return web.json_response(list_objects(self._cluster.store, query, request.query))

        return handler

    def single(self, resource: Resource) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            namespace, name = request.match_info.get("namespace", ""), request.match_info["name"]
            self._authorize(request, "get", resource, namespace, name)
            return web.json_response(get_object(self._cluster.store, resource, namespace, name))

        return handler

    async def _watch(self, request: web.Request, query: Query) -> web.StreamResponse:
        check_watch(request.query)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        lines = watch(self._cluster.store, self._cluster.clock, query, request.query)
        async with aclosing(lines):
            async for line in lines:
                await response.write(line)
        await response.write_eof()
        return response

    async def nowhere(self, request: web.Request) -> web.Response:
        """A path that is not served: forbidden comes before not found, as in the real server."""
        match = _RESOURCE_PATH.fullmatch(request.path)
        if match is None:
            return _page_not_found()
        group, version, namespace, plural, name = (part or "" for part in match.groups())
        unknown = Resource(group, version, plural, "", bool(namespace))
        self._authorize(request, "get" if name else "list", unknown, namespace, name)
        return _page_not_found()

    # Access ----------------------------------------------------------------------------------------------------

    def account(self, request: web.Request) -> Account:
        """Who asks; an `ApiError` 401 when the token is wrong."""
        account = account_of(request.headers.get("Authorization"), self._cluster.accounts)
        if account is None:
            raise unauthorized()
        return account

    def _authorize(self, request: web.Request, verb: str, resource: Resource, namespace: str, name: str) -> None:
        account = self.account(request)
        verb = _VERBS.get(request.method, verb)
        if not account.allows(Attempt(verb, resource.group, resource.plural, namespace, name)):
            raise forbidden(account.user, verb, resource, namespace, name)
        if request.method != "GET" and resource.kind:
            raise method_not_allowed(resource.plural)

    async def review(self, request: web.Request) -> web.Response:
        """SelfSubjectAccessReview: whether the caller may do what the review describes."""
        try:
            review = await request.json()
            wanted = review["spec"].get("resourceAttributes") or {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise bad_request("the body must be a SelfSubjectAccessReview with a spec") from error
        attempt = Attempt(
            verb=wanted.get("verb", ""),
            group=wanted.get("group", ""),
            resource=wanted.get("resource", ""),
            namespace=wanted.get("namespace", ""),
            name=wanted.get("name", ""),
        )
        allowed = self.account(request).allows(attempt)
        status: Json = {"allowed": allowed}
        if allowed:
            status["reason"] = "RBAC: allowed by the rules of the token"
        document = {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "spec": review["spec"],
            "status": status,
        }
        return web.json_response(document, status=201)


def _page_not_found() -> web.Response:
    return web.Response(status=404, text="404 page not found\n")


def _single_name(request: web.Request) -> str:
    """The name a field selector pins a list or a watch to: rules with resourceNames apply to it."""
    prefix, _, name = request.query.get("fieldSelector", "").partition("=")
    return name if prefix == "metadata.name" and "," not in name else ""


def _described(resource: Resource) -> Json:
    document: Json = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": ["get", "list", "watch"],
    }
    if resource.short_names:
        document["shortNames"] = list(resource.short_names)
    return document
