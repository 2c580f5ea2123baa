"""What a kubeconfig may ask for: other names, no checks, proxies, login commands."""

import asyncio
import json
import ssl
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from backends.kubernetes.access import by_library, plainly
from backends.kubernetes.settings import KubernetesSettings
from bot.model.errors import BackendError, Rejected, Unreachable
from lab.cluster.article import cluster
from lab.cluster.kubeconfig import write_kubeconfig
from lab.cluster.resources import Json
from lab.cluster.serving import Running, running
from tests.backends.kubernetes.reading import TOKEN, failure_of, no_connection_left, reading


def kubeconfig(served: Running, folder: Path, user: Json | None = None, **of_cluster: object) -> Path:
    document = served.kubeconfig()
    document["clusters"][0]["cluster"].update(of_cluster)
    document["users"][0]["user"] = user or document["users"][0]["user"]
    write_kubeconfig(folder / "kubeconfig", document)
    return folder / "kubeconfig"


async def nodes_read(path: Path) -> int:
    async with reading(path) as reader:
        return len((await reader.facts()).nodes)


def settings_of(path: Path) -> KubernetesSettings:
    return KubernetesSettings(kubeconfig=path)


async def test_the_plainest_file_says_the_same_with_and_without_the_official_client(
    served: Running, tmp_path: Path
) -> None:
    settings = settings_of(kubeconfig(served, tmp_path))
    plain, official = plainly(settings), by_library("qa", settings)
    assert plain is not None
    assert (plain.host, plain.proxy, plain.server) == (official.host, official.proxy, official.server)
    assert plain.authorization() == official.authorization() == {"authorization": f"Bearer {TOKEN}"}
    assert plain.tls.get_ca_certs() == official.tls.get_ca_certs() != []
    for one in (plain.tls, official.tls):
        assert (one.verify_mode, one.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize(
    ("user", "of_cluster"),
    [
        ({"token": None}, {}),
        ({"token": TOKEN, "tokenFile": "token"}, {}),
        ({"username": "reader", "password": "secret"}, {}),
        (None, {"tls-server-name": "localhost"}),
        (None, {"insecure-skip-tls-verify": True}),
        (None, {"proxy-url": "http://127.0.0.1:3128"}),
        (None, {"server": "http://127.0.0.1:8001"}),
        (None, {"server": 7}),
        (None, {"certificate-authority-data": "LS0t"}),
        (None, {"certificate-authority-data": "?"}),
        (None, {"a-key-of-tomorrow": "on"}),
    ],
    ids=str,
)
async def test_whatever_else_a_file_says_is_the_official_clients_to_understand(
    served: Running, tmp_path: Path, user: Json | None, of_cluster: Json
) -> None:
    assert plainly(settings_of(kubeconfig(served, tmp_path, user, **of_cluster))) is None


@pytest.mark.parametrize("around", ["{}\n", " {}", "\t{}\r\n"])
async def test_blanks_and_line_ends_around_a_token_are_no_part_of_it(
    served: Running, tmp_path: Path, around: str
) -> None:
    """A block of YAML text ends with a line end."""
    settings = settings_of(kubeconfig(served, tmp_path, {"token": around.format(TOKEN)}))
    for access in (plainly(settings), by_library("qa", settings)):
        assert access is not None
        assert access.authorization() == {"authorization": f"Bearer {TOKEN}"}


async def test_a_name_and_a_password_are_sent_as_such(served: Running, tmp_path: Path) -> None:
    access = by_library("qa", settings_of(kubeconfig(served, tmp_path, {"username": "reader", "password": "secret"})))
    assert access.authorization() == {"authorization": f"Basic {b64encode(b'reader:secret').decode()}"}


@pytest.mark.parametrize("within", ["\n", "\r", "\0", " ", "é"])
async def test_a_token_that_no_request_can_carry_is_refused_by_name(
    served: Running, tmp_path: Path, within: str
) -> None:
    said = await failure_of(kubeconfig(served, tmp_path, {"token": f"{TOKEN}{within}rest"}), Rejected)
    assert "its token has a line end, a blank or another character in it that no token has" in said


async def test_a_proxy_of_the_environment_is_the_official_clients_to_understand(
    served: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(kubeconfig(served, tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    assert plainly(settings) is None
    assert by_library("qa", settings).proxy == "http://127.0.0.1:3128"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert by_library("qa", settings).proxy is None


async def test_a_certificate_may_be_for_another_name_that_the_file_tells(served: Running, tmp_path: Path) -> None:
    assert await nodes_read(kubeconfig(served, tmp_path, **{"tls-server-name": "localhost"})) == 7
    path = kubeconfig(served, tmp_path, **{"tls-server-name": "api.example.org"})
    assert "its certificate is not the one the kubeconfig trusts" in await failure_of(path, Unreachable)


async def test_a_file_may_do_without_checking_certificates(served: Running, tmp_path: Path) -> None:
    async with running(cluster("another")) as another:
        others = another.ca_pem
    document = served.kubeconfig()
    told = document["clusters"][0]["cluster"]
    (tmp_path / "ca.pem").write_bytes(others)
    del told["certificate-authority-data"]
    told["certificate-authority"] = str(tmp_path / "ca.pem")
    write_kubeconfig(tmp_path / "kubeconfig", document)
    await failure_of(tmp_path / "kubeconfig", Unreachable)
    del told["certificate-authority"]
    told["insecure-skip-tls-verify"] = True
    write_kubeconfig(tmp_path / "kubeconfig", document)
    assert await nodes_read(tmp_path / "kubeconfig") == 7


async def test_a_client_certificate_is_shown_where_the_file_has_one(served: Running, tmp_path: Path) -> None:
    authority = trustme.CA()
    reader = authority.issue_cert("reader@example.org")
    authority.configure_trust(served._tls)
    served._tls.verify_mode = ssl.CERT_REQUIRED
    token = served.kubeconfig()["users"][0]["user"]
    shown = {
        "client-certificate-data": b64encode(reader.cert_chain_pems[0].bytes()).decode(),
        "client-key-data": b64encode(reader.private_key_pem.bytes()).decode(),
    }
    assert await nodes_read(kubeconfig(served, tmp_path, {**token, **shown})) == 7
    await failure_of(kubeconfig(served, tmp_path, token), Unreachable)


@asynccontextmanager
async def proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """An HTTP proxy that connects through, and what it was asked for."""
    asked: list[str] = []

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(request.split("\r\n")[0])
        host, port = request.split()[1].split(":")
        there, onward = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, onward), pump(there, writer), return_exceptions=True)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        await server.wait_closed()


async def test_an_http_proxy_is_asked_to_connect_and_sees_no_credentials(served: Running, tmp_path: Path) -> None:
    async with no_connection_left(), proxy() as (url, asked):
        async with reading(kubeconfig(served, tmp_path, **{"proxy-url": url})) as reader:
            assert len((await reader.facts()).nodes) == 7
            assert reader.server() is None
        assert {line.split()[0] for line in asked} == {"CONNECT"}


async def test_a_proxy_that_is_none_for_http_is_refused_by_name(served: Running, tmp_path: Path) -> None:
    path = kubeconfig(served, tmp_path, **{"proxy-url": "socks5://127.0.0.1:1080"})
    assert "only HTTP proxies can be used, not socks5" in await failure_of(path, Rejected)


OVER = "2020-01-01T00:00:00Z"


def logged_in_by(folder: Path) -> Json:
    """A login command that prints a credential with what is in the file `status`."""
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    program = f"import json; print(json.dumps({credential} | dict(status=json.load(open({str(folder / 'status')!r})))))"
    command = {"apiVersion": credential["apiVersion"], "command": sys.executable, "args": ["-c", program]}
    return {"exec": {**command, "interactiveMode": "Never"}}


def logs_in_with(folder: Path, token: str, until: str = OVER) -> None:
    (folder / "status").write_text(json.dumps({"token": token, "expirationTimestamp": until}))


async def test_a_login_commands_token_is_renewed_when_it_is_over(served: Running, tmp_path: Path) -> None:
    account = served.cluster.accounts[0]
    logs_in_with(tmp_path, account.token)
    async with reading(kubeconfig(served, tmp_path, logged_in_by(tmp_path))) as reader:
        assert len((await reader.facts()).nodes) == 7
        served.cluster.accounts[0] = replace(account, token="renewed")
        logs_in_with(tmp_path, "renewed")
        assert len((await reader.facts()).nodes) == 7


async def test_a_login_command_that_prints_no_token_later_is_refused_by_name(served: Running, tmp_path: Path) -> None:
    logs_in_with(tmp_path, served.cluster.accounts[0].token)
    async with reading(kubeconfig(served, tmp_path, logged_in_by(tmp_path))) as reader:
        assert len((await reader.facts()).nodes) == 7
        logs_in_with(tmp_path, "Please log in\nfirst")
        with pytest.raises(Rejected, match="its token has a line end"):
            await reader.facts()
        kubeconfig(served, tmp_path)  # somebody gives up the command and puts a token there
        assert len((await reader.facts()).nodes) == 7


async def test_where_a_login_command_fails_later_the_server_judges_the_old_token(
    served: Running, tmp_path: Path
) -> None:
    account = served.cluster.accounts[0]
    logs_in_with(tmp_path, account.token)
    async with reading(kubeconfig(served, tmp_path, logged_in_by(tmp_path))) as reader:
        (tmp_path / "status").unlink()
        with pytest.raises(Rejected, match="it has no credentials, or its login command fails"):
            await reader.facts()
        logs_in_with(tmp_path, account.token)
        assert len((await reader.facts()).nodes) == 7
        (tmp_path / "status").unlink()
        assert len((await reader.facts()).nodes) == 7
        served.cluster.accounts.clear()
        with pytest.raises(Rejected, match="does not accept our credentials") as refused:
            await reader.facts()
        assert account.token not in str(refused.value)


async def test_a_reading_under_way_when_the_reader_is_closed_ends_with_a_reason(
    served: Running, tmp_path: Path
) -> None:
    async with reading(kubeconfig(served, tmp_path)) as reader:
        first = asyncio.ensure_future(reader.facts())
        while reader.server() is None:  # noqa: ASYNC110 (what is waited for announces itself to nobody)
            await asyncio.sleep(0)
        await reader.close()
        with pytest.raises(BackendError):
            await first
