"""The way from the office into a cluster as a picture: office, firewall, gateway, nodes, services, and how each is."""

from collections.abc import Iterator, Sequence

from bot.engine.overview import ClusterState, ExposureState, Overview
from bot.model.samples import State, worst
from bot.model.value import Value
from bot.model.wording import listed, tr
from handlers.drawing.fonts import label
from handlers.drawing.scene import (
    BORDER,
    CARD,
    COLOURS,
    MARGIN,
    MUTED,
    PANEL,
    WIDTH,
    Line,
    Polygon,
    Rect,
    Scene,
    Shape,
    mark,
    scene,
    written,
)

HOP_WIDTH, HOP_HEIGHT, GAP = 100, 42, 18
TITLE_HEIGHT = 28
CELL_HEIGHT, COLUMNS = 26, 2
MOST_NODES, MOST_SERVICES = 6, 8


class Hop(Value):
    """A station, what it is called, and how it is."""

    name: str
    state: State


class Path(Value):
    """Everything that the picture of one cluster shows.

    The office's state is that of names there. `problem`: nodes cannot be told, because the API is silent.
    """

    cluster: str
    office: Hop
    firewall: Hop
    gateway: Hop
    nodes: tuple[Hop, ...]
    services: tuple[Hop, ...]
    problem: bool


def path_of(picture: Overview, cluster: ClusterState) -> Path:
    """What is known of every station now."""
    exposed = [state for state in picture.exposures if state.cluster == cluster.name]
    offices = sorted({state.exposure.office for state in exposed})
    return Path(
        cluster=cluster.name,
        office=Hop(name=", ".join(offices) or "–", state=worst(state.names for state in exposed)),
        firewall=Hop(name=cluster.firewall, state=_firewall(cluster)),
        gateway=Hop(name=cluster.gateway, state=_gateway(cluster)),
        nodes=tuple(Hop(name=one.node, state="good" if one.eligible else "bad") for one in cluster.candidates),
        services=tuple(Hop(name=_service(state, len(offices)), state=state.data) for state in exposed),
        problem=bool(cluster.problem),
    )


def path_scene(path: Path) -> Scene:
    nodes, services = path.nodes[:MOST_NODES], path.services[:MOST_SERVICES]
    top_nodes = TITLE_HEIGHT + HOP_HEIGHT + GAP
    top_services = top_nodes + _panel_height(nodes) + GAP
    height = top_services + _panel_height(services) + MARGIN

    def shapes() -> Iterator[Shape]:
        yield written(
            MARGIN, 16, label("Way into cluster {cluster}", cluster=path.cluster), WIDTH - 2 * MARGIN, size=12
        )
        hops = (
            (label("office DNS"), path.office),
            (label("firewall"), path.firewall),
            (label("gateway"), path.gateway),
        )
        step = (WIDTH - 2 * MARGIN - HOP_WIDTH) / (len(hops) - 1)
        for number, (kind, hop) in enumerate(hops):
            x = MARGIN + number * step
            if number:
                y = TITLE_HEIGHT + HOP_HEIGHT / 2
                yield from _arrow((x - step + HOP_WIDTH, y), (x, y), hop)
            yield from _box(x, TITLE_HEIGHT, kind, hop)
        middle = WIDTH - MARGIN - HOP_WIDTH / 2
        yield from _arrow((middle, top_nodes - GAP), (middle, top_nodes), path.gateway)
        said = label("other nodes") if nodes else label("no other node")
        said = label("the API does not answer") if path.problem else said
        yield from _panel(top_nodes, said, nodes, len(path.nodes))
        reached = Hop(name="", state=worst(one.state for one in path.services))
        yield from _arrow((middle, top_services - GAP), (middle, top_services), reached)
        yield from _panel(
            top_services,
            label("exposed services") if services else label("nothing is exposed"),
            services,
            len(path.services),
        )

    return scene(height, shapes(), path_alt(path))


def path_alt(path: Path) -> str:
    """The picture in words."""
    said = [
        tr("Way into cluster {cluster}:", cluster=path.cluster),
        tr("DNS of office {name} {state}", name=path.office.name, state=state_word(path.office.state)),
        tr("→ firewall {name} {state}", name=path.firewall.name, state=state_word(path.firewall.state)),
        tr("→ gateway {name} {state}.", name=path.gateway.name, state=state_word(path.gateway.state)),
    ]
    if path.nodes:
        said.append(tr("Other nodes: {nodes}.", nodes=_listed(path.nodes)))
    if path.services:
        said.append(tr("Services: {services}.", services=_listed(path.services)))
    return " ".join(said)


def state_word(state: State) -> str:
    """A state for reading."""
    match state:
        case "good":
            return tr("✓ works")
        case "doubtful":
            return tr("! is doubtful")
        case "bad":
            return tr("✗ does not work")
        case "unknown":
            return tr("? is not known")


def _listed(hops: Sequence[Hop]) -> str:
    return listed(f"{hop.name} {state_word(hop.state)}" for hop in hops)


def _firewall(cluster: ClusterState) -> State:
    """It answered when it was asked for the way to the gateway; whether that way is right is another question."""
    return {True: "good", False: "doubtful", None: "unknown"}[cluster.health.on_link]  # type: ignore[return-value]


def _gateway(cluster: ClusterState) -> State:
    if cluster.incident is not None:
        return "bad" if cluster.incident.picture.severity == "down" else "doubtful"
    if cluster.health.host_answers is False or cluster.gateway_ready is False:
        return "bad"
    if cluster.health.proxy_healthy is False:
        return "doubtful"
    return "good" if cluster.health.host_answers else "unknown"


def _service(state: ExposureState, offices: int) -> str:
    return state.exposure.namespace if offices < 2 else f"{state.exposure.namespace} ({state.exposure.office})"


def _panel_height(hops: Sequence[Hop]) -> float:
    rows = -(-len(hops) // COLUMNS)
    return 22 + rows * (CELL_HEIGHT + 4) + (4 if rows else 0)


def _box(x: float, y: float, kind: str, hop: Hop) -> Iterator[Shape]:
    yield Rect(x=x, y=y, width=HOP_WIDTH, height=HOP_HEIGHT, fill=CARD, line=COLOURS[hop.state], radius=6, thick=1.5)
    yield from mark(x + 13, y + 13, hop.state)
    yield written(x + 25, y + 13, kind, HOP_WIDTH - 30, size=10, colour=MUTED)
    yield written(x + 7, y + 31, hop.name, HOP_WIDTH - 12)


def _panel(y: float, title: str, hops: Sequence[Hop], count: int) -> Iterator[Shape]:
    width = WIDTH - 2 * MARGIN
    yield Rect(x=MARGIN, y=y, width=width, height=_panel_height(hops), fill=PANEL, line=BORDER, radius=6)
    more = label(", {count} more", count=count - len(hops)) if count > len(hops) else ""
    yield written(MARGIN + 8, y + 12, title + more, width - 16, size=10, colour=MUTED)
    cell = (width - 8 * (COLUMNS + 1)) / COLUMNS
    for number, hop in enumerate(hops):
        row, column = divmod(number, COLUMNS)
        x, top = MARGIN + 8 + column * (cell + 8), y + 22 + row * (CELL_HEIGHT + 4)
        yield Rect(x=x, y=top, width=cell, height=CELL_HEIGHT, fill=CARD, line=COLOURS[hop.state], radius=5)
        yield from mark(x + 13, top + CELL_HEIGHT / 2, hop.state)
        yield written(x + 25, top + CELL_HEIGHT / 2, hop.name, cell - 30)


def _arrow(start: tuple[float, float], end: tuple[float, float], to: Hop) -> Iterator[Shape]:
    """Towards a station; a broken line where nothing arrives."""
    colour = COLOURS["bad"] if to.state == "bad" else MUTED
    (x, y), across = end, start[1] == end[1]
    yield Line(points=(start, (x - 3, y) if across else (x, y - 3)), colour=colour, dashed=to.state == "bad")
    tip = ((x, y), (x - 6, y - 4), (x - 6, y + 4)) if across else ((x, y), (x - 4, y - 6), (x + 4, y - 6))
    yield Polygon(points=tip, fill=colour)
