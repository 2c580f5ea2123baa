"""What the tests of the simulated cluster share."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from kubernetes import client, config

from lab.cluster.access import Account
from lab.cluster.serving import Running

READER = "token-of-the-reader"
ADMIN = "token-of-the-admin"
EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}

Call = Callable[..., Awaitable[Any]]


def official(served: Running, tmp_path: Path, token: str = READER) -> client.ApiClient:
    """The official client, configured from a kubeconfig that the simulator wrote."""
    account = next((a for a in served.cluster.accounts if a.token == token), Account("stranger", token, ()))
    path = served.write_kubeconfig(tmp_path / f"kubeconfig-{account.user.replace(':', '-')}", account)
    configuration = client.Configuration()
    configuration.retries = False
    config.load_kube_config(config_file=str(path), client_configuration=configuration)
    return client.ApiClient(configuration)
