"""A real Kerberos KDC (MIT) of our own: on loopback, on a free port, in a directory that goes away with it.

Its tests need: apt-get install krb5-kdc krb5-admin-server krb5-user faketime libkrb5-dev gcc python3-dev, and then
make clean && make .venv/.ready.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.ports import free_port

REALM = "CORP.EXAMPLE"
HOST = "localhost"  # what Kerberos calls a host cannot be an address
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
_NEEDED = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit", "faketime")
MISSING = [name for name in _NEEDED if shutil.which(name, path=_PATH) is None]
MISSING += [name for name in ("gssapi", "krb5") if find_spec(name) is None]

if MISSING and os.environ.get("K8SNET_NEEDS_KERBEROS"):
    raise RuntimeError(f"{', '.join(MISSING)} not installed, and K8SNET_NEEDS_KERBEROS says that nothing is left out")
needs_kdc = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed; see tests/kdc.py")


@dataclass
class Kdc:
    """`keytab` holds the keys of the server's services, `clients` those of the people."""

    home: Path
    port: int = 0

    @property
    def keytab(self) -> Path:
        return self.home / "services.keytab"

    @property
    def clients(self) -> Path:
        return self.home / "clients.keytab"

    @property
    def environment(self) -> dict[str, str]:
        """What every program that is to use this realm needs."""
        return {
            "KRB5_CONFIG": str(self.home / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.home / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{self.home}/tickets",
            "KRB5RCACHENAME": f"file2:{self.home}/replays",
        }

    def create(self, passwords: dict[str, str], services: list[str]) -> None:
        """The database. Names without realm."""
        self._configure()
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "of no importance")
        commands = [f'addprinc +requires_preauth -pw "{password}" {name}' for name, password in passwords.items()]
        commands += [f"ktadd -norandkey -k {self.clients} {name}" for name in passwords]
        for service in services:
            commands += [f"addprinc -randkey {service}", f"ktadd -norandkey -k {self.keytab} {service}"]
        self._run("kadmin.local", "-r", REALM, text="\n".join(commands) + "\n")
        assert self.keytab.exists()

    def point_at(self, port: int) -> None:
        """Let programs look for the KDC there, whoever that is."""
        self.port = port
        self._configure()

    def administer(self, command: str) -> None:
        self._run("kadmin.local", "-r", REALM, text=command + "\n")

    @contextmanager
    def running(self, offset: str = "") -> Iterator[None]:
        """Serve until the block ends. `offset` is how wrong its clock is: "+2h"."""
        before = ["faketime", "-f", offset] if offset else []
        command = [*before, _find("krb5kdc"), "-n", "-r", REALM, "-P", str(self.home / "pid")]
        for _ in range(10):
            self.port = free_port()
            self._configure()
            with (self.home / "kdc.log").open("w") as log:
                process = subprocess.Popen(
                    command, env=self._whole_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True,
                )  # fmt: skip
            try:
                if self._serves(process):
                    yield
                    return
            finally:
                # The whole group: faketime stays in front of what it starts.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait(timeout=20)
        raise RuntimeError("krb5kdc did not start")

    def _serves(self, process: "subprocess.Popen[bytes]") -> bool:
        """Whether it got its port; it ends at once when somebody has taken that meanwhile."""
        while process.poll() is None:
            if "commencing operation" in (self.home / "kdc.log").read_text():
                return True
            time.sleep(0.02)  # only its log tells
        return False

    def ticket(self, user: str, *options: str) -> Path:
        """A cache with a ticket for that user, from the keys of `clients`."""
        cache = self.home / f"{user}.tickets"
        self._run("kinit", "-k", "-t", str(self.clients), "-c", f"FILE:{cache}", *options, f"{user}@{REALM}")
        return cache

    def _whole_environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": _PATH, **self.environment}

    def _run(self, program: str, *arguments: str, text: str = "") -> None:
        done = subprocess.run(
            [_find(program), *arguments], env=self._whole_environment(), input=text, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def _configure(self) -> None:
        (self.home / "krb5.conf").write_text(
            f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
            " dns_canonicalize_hostname = false\n rdns = false\n"
            f"[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{self.port}\n }}\n"
            f"[domain_realm]\n {HOST} = {REALM}\n"
        )
        (self.home / "kdc.conf").write_text(
            f"[kdcdefaults]\n kdc_listen = 127.0.0.1:{self.port}\n kdc_tcp_listen = 127.0.0.1:{self.port}\n"
            f"[realms]\n {REALM} = {{\n  database_name = {self.home}/principal\n  key_stash_file = {self.home}/stash\n"
            f"  max_life = 10h\n  max_renewable_life = 0\n  supported_enctypes = aes256-cts:normal\n }}\n"
            "[logging]\n kdc = STDERR\n"
        )


def _find(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    assert found, name
    return found
