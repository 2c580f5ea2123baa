"""A kubeconfig for the simulated API server."""

import base64
import os
from pathlib import Path

import yaml

from lab.cluster.resources import Json


def kubeconfig(server: str, ca_pem: bytes, token: str, name: str = "lab") -> Json:
    """The document that the official clients read."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(ca_pem).decode(),
                },
            }
        ],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def write_kubeconfig(path: Path, document: Json) -> None:
    write_private(path, yaml.safe_dump(document, sort_keys=False))
