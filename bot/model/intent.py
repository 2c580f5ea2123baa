"""What people want: which namespaces are reachable from which office, and through which gateway node."""

from bot.model.value import Value


class Exposure(Value):
    """Namespace `namespace` of a cluster is reachable from office `office`."""

    namespace: str
    office: str


class ClusterIntent(Value):
    """All that people want of one cluster. `gateway` is a node name; None means the one of app.yaml."""

    exposures: tuple[Exposure, ...] = ()
    gateway: str | None = None

    def exposing(self, exposure: Exposure) -> "ClusterIntent":
        return self.model_copy(update={"exposures": tuple(sorted({*self.exposures, exposure}, key=_order))})

    def without(self, namespace: str, office: str | None) -> "ClusterIntent":
        """Drop the namespace for one office, or for all of them."""
        kept = (
            exposure
            for exposure in self.exposures
            if exposure.namespace != namespace or (office is not None and exposure.office != office)
        )
        return self.model_copy(update={"exposures": tuple(kept)})

    def through(self, node: str) -> "ClusterIntent":
        """The same, with the routes pointing at that node."""
        return self.model_copy(update={"gateway": node})

    def changed(self, before: "ClusterIntent", after: "ClusterIntent") -> "ClusterIntent":
        """This intent after a change from `before` to `after`, whatever else has changed beside it since."""
        kept = {*self.exposures} - ({*before.exposures} - {*after.exposures})
        exposures = kept | ({*after.exposures} - {*before.exposures})
        return ClusterIntent(
            exposures=tuple(sorted(exposures, key=_order)),
            gateway=self.gateway if after.gateway == before.gateway else after.gateway,
        )

    def exposes(self, namespace: str) -> bool:
        return any(exposure.namespace == namespace for exposure in self.exposures)


def _order(exposure: Exposure) -> tuple[str, str]:
    return exposure.namespace, exposure.office
