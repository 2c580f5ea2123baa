"""Errors as the API server sends them: an HTTP status and a ``Status`` object."""

from lab.cluster.resources import Json, Resource


class ApiError(Exception):
    """A refusal with its HTTP code, its reason (the machine-readable word) and its details."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Json | None = None,
        *,
        headers: dict[str, str] | None = None,
        metadata: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details
        self.headers = headers or {}
        self.metadata = metadata or {}

    def document(self) -> Json:
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
        }
        if self.details:
            status["details"] = self.details
        return {**status, "code": self.code}


def _details(resource: Resource, name: str) -> Json:
    details = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    return {**details, "kind": resource.plural}


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, verb: str, resource: Resource, namespace: str, name: str) -> ApiError:
    subject = f'{resource.qualified} "{name}"' if name else resource.qualified
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = (
        f'{subject} is forbidden: User "{user}" cannot {verb} resource "{resource.plural}"'
        f' in API group "{resource.group}" {scope}'
    )
    return ApiError(403, "Forbidden", message, _details(resource, name))


def forbidden_path(user: str, verb: str, path: str) -> ApiError:
    return ApiError(403, "Forbidden", f'forbidden: User "{user}" cannot {verb} path "{path}"', {})


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name))


def method_not_allowed(kind: str = "") -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {"kind": kind} if kind else {})


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def too_old(version: int, current: int) -> ApiError:
    """The history no longer reaches back to the resource version a watch asked for."""
    return ApiError(410, "Expired", f"too old resource version: {version} ({current})")


def too_new(version: int, current: int) -> ApiError:
    """The resource version of a request is one that the server has not reached yet."""
    message = f"Timeout: Too large resource version: {version}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    return ApiError(504, "Timeout", message, details, headers={"Retry-After": "1"})


def continue_expired(inconsistent: str) -> ApiError:
    """The snapshot behind a ``continue`` token is gone; `inconsistent` continues on the present state instead."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new "
        "list without the continue parameter, or use the continue token in this response to retrieve the "
        "remainder of the results."
    )
    return ApiError(410, "Expired", message, metadata={"continue": inconsistent})


def internal_error() -> ApiError:
    return ApiError(500, "InternalError", "Internal error occurred: etcdserver: request timed out")


def too_many_requests(seconds: int) -> ApiError:
    message = "The server has received too many requests and has asked us to try again later"
    details = {"retryAfterSeconds": seconds}
    return ApiError(429, "TooManyRequests", message, details, headers={"Retry-After": str(seconds)})
