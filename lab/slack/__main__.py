"""A Slack workspace on this machine: Web API, Socket Mode or signed HTTP, and a page in the browser."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from lab.slack import control, faults
from lab.slack.core import Tokens
from lab.slack.manifest import Manifest
from lab.slack.server import running
from lab.slack.workspace import Workspace


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lab.slack",
        description=__doc__,
        epilog=f"{control.__doc__}\n{faults.__doc__}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--listen", default="127.0.0.1:8091", metavar="HOST:PORT", help="loopback only")
    parser.add_argument("--bot-token-env", metavar="VAR", help="environment variable that holds the bot token")
    parser.add_argument("--app-token-env", metavar="VAR", help="environment variable that holds the app-level token")
    parser.add_argument("--signing-secret-env", metavar="VAR", help="environment variable with the signing secret")
    parser.add_argument("--tokens-out", type=Path, metavar="FILE", help="write what the app needs there, mode 0600")
    parser.add_argument("--manifest", type=Path, metavar="FILE", help="the app manifest, YAML or JSON")
    parser.add_argument("--request-url", metavar="URL", help="deliver over HTTP to this loopback address")
    parser.add_argument("--rate-limits", action="store_true", help="enforce Slack's rate limits")
    parser.add_argument("--seed", default="k8snet", help="ids are made from it")
    parser.add_argument("--load", type=Path, metavar="FILE", help="start from this dump")
    parser.add_argument("--dump", type=Path, metavar="FILE", help="write the workspace there at the end")
    return parser.parse_args(argv)


def from_environment(variable: str | None, made: str) -> str:
    """Raises ValueError when the variable was named but is not set."""
    if variable is None:
        return made
    value = os.environ.get(variable)
    if not value:
        raise ValueError(f"the environment variable {variable} is not set")
    return value


def tokens(options: argparse.Namespace) -> Tokens:
    made = Tokens()
    return Tokens(
        from_environment(options.bot_token_env, made.bot),
        from_environment(options.app_token_env, made.app),
        from_environment(options.signing_secret_env, made.signing_secret),
    )


def write_tokens(path: Path, api_url: str, credentials: Tokens) -> None:
    """Through a file of another name, so that a reader never sees half of it."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(
            {
                "api_url": api_url,
                "bot_token": credentials.bot,
                "app_token": credentials.app,
                "signing_secret": credentials.signing_secret,
            },
            file,
        )
    temporary.replace(path)


async def serve(options: argparse.Namespace) -> None:
    host, _, port = options.listen.rpartition(":")
    workspace = (
        Workspace.from_json(json.loads(options.load.read_text())) if options.load else Workspace(seed=options.seed)
    )
    credentials = tokens(options)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(
        workspace,
        host=host,
        port=int(port),
        tokens=credentials,
        manifest=Manifest.read(options.manifest) if options.manifest else None,
        request_url=options.request_url,
        rate_limits=options.rate_limits,
    ) as workspace_running:
        if options.tokens_out:
            write_tokens(options.tokens_out, workspace_running.api_url, credentials)
        print(f"ready: page {workspace_running.page_url} api {workspace_running.api_url}", flush=True)
        await stop.wait()
    if options.dump:
        options.dump.write_text(json.dumps(workspace.to_json(), indent=1))


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    needs_file = options.tokens_out or (options.bot_token_env and (options.app_token_env or options.request_url))
    if not needs_file:
        print("note: without --tokens-out or --bot-token-env and --app-token-env no app can connect", file=sys.stderr)
    try:
        asyncio.run(serve(options))
    except (OSError, ValueError, ValidationError) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
