"""Every picture of an overview, and all of them on one sheet."""

from collections.abc import Iterator, Mapping

from bot.engine.overview import ClusterState, Overview
from bot.model.wording import tr
from handlers.drawing.fonts import label
from handlers.drawing.path import path_of, path_scene
from handlers.drawing.scene import Line, Polygon, Scene, Shape
from handlers.drawing.strips import availability_rows, signal_rows, strips_scene

MOST_CLUSTERS = 3
BETWEEN = 10


def path_name(cluster: ClusterState) -> str:
    return f"path/{cluster.name}"


def signals_name(cluster: ClusterState) -> str:
    return f"signals/{cluster.name}"


AVAILABILITY = "availability"


def scenes(picture: Overview) -> Mapping[str, Scene]:
    """By name, in the order to be shown; of the last day only what is known."""
    drawn: dict[str, Scene] = {}
    for cluster in picture.clusters[:MOST_CLUSTERS]:
        drawn[path_name(cluster)] = path_scene(path_of(picture, cluster))
        if rows := signal_rows(cluster):
            spoken = tr("Signals of the last 24 hours, cluster {cluster}", cluster=cluster.name)
            title = label("Signals of the last 24 hours, cluster {cluster}", cluster=cluster.name)
            drawn[signals_name(cluster)] = strips_scene(title, spoken, rows)
    if rows := availability_rows(picture.exposures):
        drawn[AVAILABILITY] = strips_scene(
            label("Availability in the last 24 hours"), tr("Availability in the last 24 hours"), rows
        )
    return drawn


def sheet(drawn: Mapping[str, Scene]) -> Scene:
    """All pictures below each other."""

    def shapes() -> Iterator[Shape]:
        top = 0
        for one in drawn.values():
            yield from (_lowered(shape, top) for shape in one.shapes)
            top += one.height + BETWEEN

    height = sum(one.height + BETWEEN for one in drawn.values()) - BETWEEN
    width = max(one.width for one in drawn.values())
    return Scene(width=width, height=height, shapes=tuple(shapes()), alt=" ".join(one.alt for one in drawn.values()))


def _lowered(shape: Shape, by: float) -> Shape:
    match shape:
        case Polygon() | Line():
            return shape.model_copy(update={"points": tuple((x, y + by) for x, y in shape.points)})
        case _:
            return shape.model_copy(update={"y": shape.y + by})
