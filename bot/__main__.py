"""The `k8snet` command."""

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import Coroutine
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bot.env import collect_garbage_late
from bot.model.errors import BotError, ConfigurationError, OutcomeUnknown, Unreachable
from bot.model.wording import Locale, tr

if TYPE_CHECKING:
    from bot.engine.overview import Overview
    from bot.settings import Settings

log = logging.getLogger("k8snet")

Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.", envvar="K8SNET_CONFIG")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Cluster = Annotated[str | None, typer.Option(help="Cluster name; needed when there are several.")]
DEFAULT = Path("app.yaml")
WHAT = (
    "<service>.<namespace>[:port], the same as a full name, <pod>.<service>.<namespace>, a service that only one "
    "namespace has, an address of the cluster, a namespace; nothing: everything that is exposed."
)
START_PAUSE_S = 5

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Opens a Kubernetes cluster's inner networks to the office, safely, and keeps them open.",
)


@app.command()
def run(config: Config = DEFAULT) -> None:
    """Run the bot until it is told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    _finish(_run(config))


@app.command()
def check(
    name: Annotated[str, typer.Argument(help=WHAT, show_default=False)] = "",
    config: Config = DEFAULT,
    cluster: Cluster = None,
    as_json: AsJson = False,
) -> None:
    """Walk the path, prove every hop, and name the broken one. Exit 0 only when it passed."""
    _finish(_check(name, config, cluster, as_json))


@app.command()
def plan(namespace: str, config: Config = DEFAULT, cluster: Cluster = None, as_json: AsJson = False) -> None:
    """Show what exposing a namespace would change. Changes nothing."""
    _finish(_plan(namespace, config, cluster, as_json))


@app.command()
def drill(
    to: Annotated[str | None, typer.Option(help="The node to move to; the best candidate.")] = None,
    config: Config = DEFAULT,
    cluster: Cluster = None,
    as_json: AsJson = False,
) -> None:
    """Show what a drill would move, there and back. Changes nothing: in Slack somebody says yes to it."""
    _finish(_drill(to, config, cluster, as_json))


@app.command()
def status(
    config: Config = DEFAULT,
    as_json: AsJson = False,
    picture: Annotated[Path | None, typer.Option(help="Also draw it all into this PNG file.")] = None,
) -> None:
    """Clusters, gateways, incidents, exposures and their last day, changes under way."""
    _finish(_status(config, as_json, picture))


@app.command()
def history(
    namespace: Annotated[str | None, typer.Argument()] = None, config: Config = DEFAULT, as_json: AsJson = False
) -> None:
    """The latest changes: who asked, who said yes, what came of it."""
    _finish(_history(namespace, config, as_json))


@app.command()
def audit(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Verify the journal's hash chain. Exit 0 only when it is whole."""
    _finish(_audit(config, as_json))


@app.command()
def facts(config: Config = DEFAULT, cluster: Cluster = None, as_json: AsJson = False) -> None:
    """Everything the bot reads from a cluster."""
    _finish(_facts(config, cluster, as_json))


@app.command()
def manifest(
    url: Annotated[str | None, typer.Option(help="HTTP mode: the public https:// address of /slack/events.")] = None,
) -> None:
    """Print the Slack app's manifest: commands, events, and no scope that nothing uses."""
    from handlers import manifest as slack_app

    try:
        typer.echo(slack_app.manifest(url and slack_app.public_url(url)), nl=False)
    except ValueError as error:
        typer.echo(f"k8snet: {error}", err=True)
        raise typer.Exit(2) from None


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port of the page; 0 picks a free one.")] = 8090,
    locale: Annotated[Locale, typer.Option(help="What bot and page speak; the page has a switch, too.")] = "en",
) -> None:
    """A small company on this machine, with the bot at work in it; prints the page's URL."""
    _finish(_lab("demo").run_demo(port, locale))


@app.command()
def tour() -> None:
    """The demo's story without a browser, as a transcript. Exit 0 only if every step really happened."""
    _finish(_lab("tour").run_tour())


def _lab(module: str) -> ModuleType:
    """The lab is not part of every installation, such as the container image."""
    try:
        return import_module(f"lab.{module}")
    except ModuleNotFoundError as error:
        typer.echo(f"k8snet: the lab is not installed here ({error}); see the README for `make {module}`.", err=True)
        sys.exit(2)


async def _run(config: Path) -> int:
    from bot.settings import load

    settings = load(config)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    while not stopping.is_set():
        try:
            await _until(stopping, _at_work(settings))
        except (Unreachable, OutcomeUnknown) as error:
            log.warning("cannot start yet: %s; trying again in %d s", error, START_PAUSE_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), START_PAUSE_S)
    return 0


async def _at_work(settings: "Settings") -> NoReturn:
    """Start, which takes as long as another bot bears our name, and work. Raises as `bot` does."""
    from bot.app import bot

    async with bot(settings) as dismissed:
        log.info("at work; stop with Ctrl-C or SIGTERM")
        await dismissed.wait()
    raise ConfigurationError(tr("the app was removed from the Slack workspace. Install it again, then restart."))


async def _until(stopping: asyncio.Event, work: Coroutine[Any, Any, NoReturn]) -> None:
    """Do the work until it fails, or until somebody says stop, whatever it waits for then. Raises what it raises."""
    working, told = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


async def _check(name: str, config: Path, cluster: str | None, as_json: bool) -> int:
    from bot.app import terminal
    from bot.model.commands import Check
    from bot.settings import load
    from handlers.lines.check import report_lines

    async with terminal(load(config)) as engine:
        report = await engine.check(Check(name=name, cluster=cluster))
    _print(report.model_dump(mode="json") if as_json else report_lines(report))
    return 0 if report.verdict == "passed" else 1


async def _plan(namespace: str, config: Path, cluster: str | None, as_json: bool) -> int:
    from bot.app import terminal
    from bot.model.commands import DryPlan
    from bot.settings import load
    from handlers.lines.plan import plan_lines, warning_lines

    async with terminal(load(config)) as engine:
        made = await engine.dry_plan(DryPlan(namespace=namespace, cluster=cluster))
    nothing = [tr("Nothing to do: it is so already."), *warning_lines(made)]
    _print(made.model_dump(mode="json") if as_json else plan_lines(made) if made.steps else nothing)
    return 0


async def _drill(to: str | None, config: Path, cluster: str | None, as_json: bool) -> int:
    from bot.app import terminal
    from bot.model.commands import Drill
    from bot.settings import load
    from handlers.lines.plan import plan_lines

    async with terminal(load(config)) as engine:
        made = await engine.dry_plan(Drill(node=to, cluster=cluster))
    _print(made.model_dump(mode="json") if as_json else plan_lines(made))
    return 0


async def _status(config: Path, as_json: bool, file: Path | None) -> int:
    from bot.app import terminal
    from bot.settings import load
    from handlers.lines.overview import overview_lines

    async with terminal(load(config)) as engine:
        picture = await engine.overview()
    _print(picture.model_dump(mode="json") if as_json else overview_lines(picture))
    if file is not None:
        _draw(picture, file)
    return 1 if any(cluster.problem for cluster in picture.clusters) else 0


def _draw(picture: "Overview", file: Path) -> None:
    """Raises UserError when the file cannot be written."""
    from bot.model.errors import UserError
    from handlers.drawing.overview import scenes, sheet
    from handlers.drawing.render import png

    try:
        file.write_bytes(png(sheet(scenes(picture))))
    except OSError as error:
        raise UserError(
            tr("cannot write {file}: {reason}. Give another file with --picture.", file=file, reason=error.strerror)
        ) from None


async def _history(namespace: str | None, config: Path, as_json: bool) -> int:
    from bot.app import terminal
    from bot.settings import load
    from handlers.views.history import history_lines

    async with terminal(load(config)) as engine:
        operations = await engine.history(namespace)
    told = {"operations": [operation.model_dump(mode="json") for operation in operations]}
    _print(told if as_json else history_lines(operations, namespace))
    return 0


async def _audit(config: Path, as_json: bool) -> int:
    from bot.app import terminal
    from bot.settings import load
    from handlers.views.history import audit_lines

    async with terminal(load(config)) as engine:
        report = await engine.audit()
    _print(report.model_dump(mode="json") if as_json else audit_lines(report))
    return 1 if report.problem else 0


async def _facts(config: Path, cluster: str | None, as_json: bool) -> int:
    from bot.app import terminal
    from bot.settings import load
    from handlers.lines.facts import facts_lines

    async with terminal(load(config)) as engine:
        known = await engine.facts(cluster)
    _print(known.model_dump(mode="json") if as_json else facts_lines(known))
    return 0


def _print(what: Any) -> None:
    """What others wrote may hold orders for a terminal, or hide what it says: only JSON keeps it as it is."""
    from handlers.text import visible

    if isinstance(what, list):
        typer.echo("\n".join(map(visible, what)))
    else:
        typer.echo(json.dumps(what, indent=2, ensure_ascii=False))


def _finish(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Run to an exit code; an error of ours is one message for people, without a traceback."""
    try:
        code = asyncio.run(work)
    except BotError as error:
        typer.echo(f"k8snet: {error}", err=True)
        code = 2
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def main() -> None:
    """Entry point of the installed command."""
    collect_garbage_late()
    app(prog_name="k8snet")


if __name__ == "__main__":
    main()
