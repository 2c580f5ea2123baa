"""The control channel of the real daemon, and what goes wrong on the way to it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.model.errors import BackendError, Rejected, Unreachable
from tests.backends.unbound.control_proxy import ControlProxy
from tests.backends.unbound.targets import KEY, WISH, step, target
from tests.backends.windows_dns.clock import ManualClock
from tests.unbound_server import BINARY, MISSING, UnboundServer, make_certificates, running_unbound

pytestmark = pytest.mark.skipif(BINARY is None, reason=MISSING)


@pytest.fixture
async def server() -> AsyncIterator[UnboundServer]:
    async with running_unbound() as started:
        yield started


@pytest.fixture
async def proxy(server: UnboundServer) -> AsyncIterator[ControlProxy]:
    async with ControlProxy(server).serving() as started:
        yield started


async def test_the_daemon_is_asked_and_told_without_any_tool_in_between(server: UnboundServer) -> None:
    office = target(server)
    assert await office.read([KEY]) == {}
    assert (await office.apply(step(None, WISH))).kind == "applied"
    assert await office.read([KEY]) == {KEY: WISH}
    assert f"{KEY.name}. IN forward +i 10.68.0.10" in await server.tell("list_forwards")
    assert f"{KEY.name}." in await server.tell("list_insecure")
    assert (await office.apply(step(WISH, None))).kind == "applied"
    assert await server.tell("list_insecure") == []


async def refusal(office_dns: object) -> BackendError:
    with pytest.raises(BackendError) as refused:
        await office_dns.read([KEY])  # type: ignore[attr-defined]
    return refused.value


async def test_another_servers_certificate_is_not_accepted(server: UnboundServer, tmp_path: Path) -> None:
    make_certificates(tmp_path)
    error = await refusal(target(server, server_certificate_file=tmp_path / "unbound_server.pem"))
    assert isinstance(error, Rejected)
    assert "another certificate" in str(error)


async def test_the_clients_own_certificate_does_not_pass_for_the_servers(server: UnboundServer) -> None:
    """Both are signed by the same key; only the name keeps them apart."""
    error = await refusal(target(server, server_name="unbound-control"))
    assert isinstance(error, Rejected)


async def test_a_client_certificate_of_another_setup_is_suspected(server: UnboundServer, tmp_path: Path) -> None:
    make_certificates(tmp_path)
    files = {
        "certificate_file": tmp_path / "unbound_control.pem",
        "certificate_key_file": tmp_path / "unbound_control.key",
    }
    assert await target(server).read([KEY]) == {}
    # Whether the server's alert arrives before its reset is a matter of luck.
    assert "certificate_file" in str(await refusal(target(server, **files)))


async def test_files_that_are_missing_or_no_pem_are_named(server: UnboundServer, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for setting, file, says in (
        ("server_certificate_file", "nowhere.pem", "No such file"),
        ("server_certificate_file", "empty.pem", "not a PEM file"),
        ("certificate_key_file", "nowhere.pem", "No such file"),
        ("certificate_key_file", "empty.pem", "not a PEM file"),
    ):
        error = await refusal(target(server, **{setting: tmp_path / file}))
        assert isinstance(error, Rejected)
        assert setting in str(error)
        assert says in str(error)


async def test_a_daemon_that_is_down_is_unreachable(server: UnboundServer) -> None:
    server.stop()
    error = await refusal(target(server))
    assert isinstance(error, Unreachable)
    assert "is Unbound up" in str(error)


async def test_a_port_that_speaks_no_tls_is_said_to_be_one(server: UnboundServer) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.corp.example ESMTP\r\n")
        await reader.read()
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with listener:
        error = await refusal(target(server, f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"))
    assert isinstance(error, Unreachable)
    assert "does not speak TLS" in str(error)


async def test_a_list_that_breaks_off_is_no_list(proxy: ControlProxy) -> None:
    office = target(proxy.server, proxy.endpoint)
    for loss in ("request", "answer", "end of answer"):
        proxy.lose["list_local_zones"] = loss  # type: ignore[assignment]
        with pytest.raises(Unreachable):
            await office.foresee([WISH])


async def test_a_write_without_answer_is_unknown_when_its_time_is_up(proxy: ControlProxy) -> None:
    clock = ManualClock()
    office = target(proxy.server, proxy.endpoint, clock)
    proxy.lose["forward_add"] = "silence"
    writing = asyncio.ensure_future(office.apply(step(None, WISH)))
    await proxy.silent.wait()
    clock.expire()
    outcome = await writing
    assert (outcome.kind, "no complete answer in time" in outcome.detail) == ("unknown", True)
    assert await office.read([KEY]) == {}


async def test_a_question_without_answer_is_unreachable_when_its_time_is_up(proxy: ControlProxy) -> None:
    clock = ManualClock()
    office = target(proxy.server, proxy.endpoint, clock)
    proxy.lose["list_forwards"] = "silence"
    asking = asyncio.ensure_future(office.read([KEY]))
    await proxy.silent.wait()
    clock.expire()
    with pytest.raises(Unreachable, match="no complete answer in time"):
        await asking


async def test_a_cancelled_call_leaves_no_connection_behind(proxy: ControlProxy) -> None:
    office = target(proxy.server, proxy.endpoint)
    proxy.lose["list_forwards"] = "silence"
    asking = asyncio.ensure_future(office.read([KEY]))
    await proxy.silent.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await office.read([KEY]) == {}


@pytest.mark.parametrize("loss", ["request", "answer"])
async def test_a_cache_that_may_not_have_been_cleared_is_cleared_before_the_next_look(
    proxy: ControlProxy, loss: str
) -> None:
    office = target(proxy.server, proxy.endpoint)
    proxy.lose["flush_zone"] = loss  # type: ignore[assignment]
    assert (await office.apply(step(None, WISH))).kind == "unknown"
    proxy.commands.clear()
    assert await office.read([KEY]) == {KEY: WISH}
    assert proxy.commands[0] == f"flush_zone {KEY.name}"
    proxy.commands.clear()
    await office.read([KEY])
    assert not any(command.startswith("flush") for command in proxy.commands)
