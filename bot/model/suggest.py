"""Did you mean …?"""

from collections.abc import Iterable
from difflib import get_close_matches

from bot.model.errors import UserError
from bot.model.facts import ClusterFacts
from bot.model.wording import tr


def suggestion(typed: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known word, with a leading space; empty when nothing is near."""
    near = get_close_matches(typed, list(known), n=1, cutoff=0.6)
    return tr(" Did you mean {word}?", word=near[0]) if near else ""


def expect_namespace(namespace: str, facts: ClusterFacts) -> None:
    """Raises UserError, with what may have been meant, where the cluster has no such namespace."""
    if namespace not in facts.namespaces:
        raise UserError(
            tr(
                "Cluster {cluster} has no namespace {namespace}.{suggestion}",
                cluster=facts.cluster,
                namespace=namespace,
                suggestion=suggestion(namespace, facts.namespaces),
            )
        )
