"""Reading a Corefile: as much of it as decides what the DNS stand-in answers."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

PodMode = Literal["disabled", "insecure", "verified"]

DEFAULT_TTL = 5
"""The kubernetes plugin's own; the usual Corefile says 30."""


class CorefileError(ValueError):
    """The Corefile cannot be understood; the message names the line."""


@dataclass(frozen=True, slots=True)
class KubernetesPlugin:
    """The ``kubernetes`` directive of a server block."""

    zones: tuple[str, ...]
    pods: PodMode = "disabled"
    ttl: int = DEFAULT_TTL
    fallthrough: tuple[str, ...] | None = None
    """Zones whose unknown names go on to the next plugin; an empty tuple: all; None: no zone."""
    ignore_empty_service: bool = False
    endpoint_pod_names: bool = False
    namespaces: tuple[str, ...] = ()
    """Namespaces exposed; empty: all."""


@dataclass(frozen=True, slots=True)
class ServerBlock:
    zones: tuple[str, ...]
    kubernetes: KubernetesPlugin | None
    forwards: bool
    """Whether a ``forward`` directive sends other names to a resolver."""


@lru_cache(maxsize=16)
def parse(text: str) -> tuple[ServerBlock, ...]:
    """The server blocks of a Corefile; `CorefileError` when a block or an option of ours cannot be read."""
    lines = [line.split("#", 1)[0].strip() for line in text.splitlines()]
    blocks, position = [], 0
    while position < len(lines):
        if not lines[position]:
            position += 1
            continue
        head, body, position = _block(lines, position)
        blocks.append(_server_block(head, body))
    if not blocks:
        raise CorefileError("the Corefile has no server block")
    return tuple(blocks)


def _block(lines: list[str], start: int) -> tuple[list[str], list[str], int]:
    """The words before a brace, the lines inside, and where to go on."""
    if not lines[start].endswith("{"):
        raise CorefileError(f"line {start + 1}: expected a block that opens with '{{', found {lines[start]!r}")
    depth, end = 1, start + 1
    while end < len(lines):
        depth += lines[end].endswith("{") - (lines[end] == "}")
        if depth == 0:
            return lines[start][:-1].split(), lines[start + 1 : end], end + 1
        end += 1
    raise CorefileError(f"line {start + 1}: the block is never closed")


def _server_block(head: list[str], body: list[str]) -> ServerBlock:
    zones = tuple(_zone(re.sub(r"^dns://|:\d+$", "", word.rstrip(","))) for word in head)
    kubernetes, forwards, position = None, False, 0
    while position < len(body):
        words = body[position].split()
        options: list[str] = []
        if words and words[-1] == "{":
            _, options, following = _block(body, position)
            words = words[:-1]
        else:
            following = position + 1
        if words[:1] == ["kubernetes"]:
            kubernetes = _kubernetes(tuple(map(_zone, words[1:])) or zones, options)
        forwards |= words[:1] == ["forward"]
        position = following
    return ServerBlock(zones, kubernetes, forwards)


def _kubernetes(zones: tuple[str, ...], options: list[str]) -> KubernetesPlugin:
    pods: PodMode = "disabled"
    ttl, fallthrough, ignore_empty, pod_names = DEFAULT_TTL, None, False, False
    namespaces: tuple[str, ...] = ()
    for option in filter(None, options):
        match option.split():
            case ["pods", "disabled" | "insecure" | "verified" as mode]:
                pods = mode
            case ["ttl", seconds] if seconds.isdecimal() and int(seconds) <= 3600:
                ttl = int(seconds)
            case ["fallthrough", *names]:
                fallthrough = tuple(map(_zone, names))
            case ["ignore", "empty_service"]:
                ignore_empty = True
            case ["endpoint_pod_names"]:
                pod_names = True
            case ["namespaces", *names]:
                namespaces = tuple(names)
            case ["endpoint" | "tls" | "kubeconfig" | "labels" | "noendpoints" | "startup_timeout", *_]:
                pass  # how to reach the API; the stand-in reads the cluster directly
            case _:
                raise CorefileError(f"kubernetes: cannot read the option {option!r}")
    return KubernetesPlugin(zones, pods, ttl, fallthrough, ignore_empty, pod_names, namespaces)


def _zone(name: str) -> str:
    """A zone name in lower case with its final dot; the root is ``.``."""
    return name.lower().rstrip(".") + "."
