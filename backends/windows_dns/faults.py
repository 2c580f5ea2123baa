"""What the numbers mean. Texts of Windows are localised and wrapped; numbers are neither."""

from collections.abc import Mapping
from dataclasses import dataclass

from backends.windows_dns.wire import Fault
from bot.model.wording import marked, tr


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call brought no result.

    `passing`: it may be different next time. `refused`: the server said no to the very request, so that request
    had no effect. `login`: what it refused is the password.
    """

    text: str
    passing: bool
    refused: bool = False
    login: bool = False

    @property
    def said(self) -> str:
        """The text in the language in force: those of tables are only marked."""
        return tr(self.text)


def _no(text: str) -> Failure:
    return Failure(text, passing=False, refused=True)


def _not_now(text: str) -> Failure:
    return Failure(text, passing=True, refused=True)


ACCESS_DENIED = 5
TIMED_OUT = 2150858793
NO_SUCH_RESOURCE = 2150858752
NOT_FOUND = 9601

# Codes of a WSManFault: the remote shell itself.
_SHELL: Mapping[int, Failure] = {
    ACCESS_DENIED: _no(
        marked(
            "the account may log in but not open a remote shell; make it an administrator "
            "of that server or grant it Execute(Invoke) with `winrm configSDDL default` "
            "(Remote Management Users is not enough)"
        )
    ),
    87: _no(marked("WinRM found a parameter of the request incorrect; check that `endpoint` is a WinRM listener")),
    2147942402: _no(marked("powershell.exe was not found on the server")),
    2147942606: _no(marked("the server found the command line too long; please report this as a bug of k8snet")),
    2150858767: _no(marked("WinRM rejected a SOAP header; check that `endpoint` is a WinRM listener")),
    2150858817: _no(marked("WinRM rejected the form of the request; check that `endpoint` is a WinRM listener")),
    2150858843: _not_now(marked("the server no longer knows the remote shell; WinRM was probably restarted")),
    2150859173: _not_now(
        marked(
            "all remote shells of this account are in use; unused ones end by themselves, or restart the WinRM service"
        )
    ),
    2150859174: _not_now(
        marked(
            "too many remote operations of this account are open; they end by themselves, or restart the WinRM service"
        )
    ),
}

# Codes of the DNS cmdlets.
_DNS: Mapping[int, Failure] = {
    ACCESS_DENIED: _no(marked("the account may not manage DNS there; add it to DnsAdmins or use an administrator")),
    87: _no(marked("the DNS server found a parameter incorrect")),
    1722: _not_now(marked("the DNS service does not answer; start the service `DNS` on that server")),
    1753: _not_now(marked("no DNS service runs there; check that `endpoint` is the DNS server itself")),
    9551: _no(marked("a zone of that kind cannot be made there")),
    9552: _no(marked("the DNS server refused the address of a master")),
    9560: _no(marked("the DNS server refused a character of the zone name")),
    9561: _no(marked("the DNS server refused a numeric zone name")),
    9563: _no(marked("a zone above delegates that name elsewhere; remove the delegation or the zone")),
    NOT_FOUND: _no(marked("the zone was gone at the moment of the write")),
    9603: _no(marked("the zone is not a conditional forwarder and cannot be changed as one")),
    9609: _no(marked("a zone of that name appeared at the moment of the write")),
    9610: _no(marked("an automatic reverse zone has that name")),
    9611: _no(marked("the zone is not a conditional forwarder and cannot be changed as one")),
    9619: _no(marked("a conditional forwarder of that name appeared at the moment of the write")),
    9620: _no(marked("the DNS server wants at least one master")),
    9621: _not_now(marked("the zone is shut down because it could not be loaded from Active Directory")),
    9717: _no(marked("Active Directory is not available there; set `storage: file` or repair the directory")),
    9718: _no(
        marked("a zone of that name is in Active Directory but not loaded on this server yet; wait for replication")
    ),
    9901: _no(marked("the directory partition of that replication scope does not exist; choose another `storage`")),
    9902: _no(marked("the directory partition exists already")),
    9903: _no(marked("this server does not hold the directory partition; choose another `storage`")),
    9904: _not_now(marked("the directory partition is not ready yet")),
    9905: _not_now(marked("the directory partition is not available")),
}


def shell_fault(code: int | None) -> Failure | None:
    """The meaning of a WSManFault code; None for one we do not know."""
    return None if code is None else _SHELL.get(code)


def dns_fault(fault: Fault) -> Failure:
    """The meaning of an error record."""
    if fault.id.startswith("CommandNotFoundException"):
        return _no(
            tr(
                "the DnsServer module is missing there; check that `endpoint` is the DNS "
                "server itself and that its management tools are installed"
            )
        )
    known = None if fault.code is None else _DNS.get(fault.code)
    if known is None:
        return _no(tr("the server reports {fault}, which k8snet does not know", fault=_printable(fault.id)))
    return Failure(f"{known.said} (WIN32 {fault.code})", known.passing, known.refused)


def _printable(text: str) -> str:
    shown = ascii(text[:120])[1:-1]
    return shown or tr("an error without an id")
