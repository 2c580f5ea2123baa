"""What a kernel network needs from the machine, and plain words about what is missing.

Needed: Linux, the programs ``unshare`` (util-linux), ``ip`` (iproute2) and ``nft`` (nftables), and either root
or permission to make user namespaces. Nothing of the machine's own network is touched, asked or needed.
"""

import os
import shutil
import subprocess
import sys
from functools import cache

PROGRAMS = {"unshare": "util-linux", "ip": "iproute2", "nft": "nftables"}

# What a kernel network is made of, tried once in a namespace that is gone a moment later.
TRIAL = """
ip link add trial-bridge type bridge || exit 11
ip link add trial-a type veth peer name trial-b || exit 12
nft -f - <<'RULES' || exit 13
table ip trial {
  chain nat { type nat hook postrouting priority 100; meta mark 1 masquerade; }
  chain forward { type filter hook forward priority 0; ct state invalid drop; }
}
RULES
echo 1 > /proc/sys/net/ipv4/ip_forward || exit 14
"""

TRIAL_VERDICTS = {
    11: "the kernel offers no bridges (module 'bridge')",
    12: "the kernel offers no virtual Ethernet pairs (module 'veth')",
    13: "nftables with NAT and connection tracking does not work (modules 'nf_tables', 'nf_nat', 'nf_conntrack')",
    14: "/proc/sys/net is not writable in a namespace of our own",
}


def search_path() -> str:
    """The caller's PATH with the administrator's folders, where ``ip`` and ``nft`` live on many systems."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def unshare_command() -> list[str]:
    """The command that starts another one as process 1 of namespaces of its own, as root of them."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return [
        shutil.which("unshare", path=search_path()) or "unshare",
        *user,
        *("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
    ]


@cache
def missing() -> str | None:
    """Why no kernel network can be built here; `None` when it can. Asked once for a process."""
    if sys.platform != "linux":
        return f"a kernel network needs Linux, this is {sys.platform}"
    absent = [
        f"{name} (package {package})"
        for name, package in PROGRAMS.items()
        if shutil.which(name, path=search_path()) is None
    ]
    if absent:
        return f"not installed: {', '.join(absent)}"
    trial = subprocess.run(
        [*unshare_command(), "sh", "-c", TRIAL],
        env={"PATH": search_path(), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    if trial.returncode == 0:
        return None
    if trial.returncode in TRIAL_VERDICTS:
        return f"{TRIAL_VERDICTS[trial.returncode]}: {trial.stderr.strip()}"
    if os.geteuid() == 0:
        return f"namespaces are refused even to root (a container without SYS_ADMIN?): {trial.stderr.strip()}"
    return (
        "neither root nor allowed to make user namespaces (run as root, or ask for the sysctls "
        "user.max_user_namespaces > 0, kernel.unprivileged_userns_clone=1 and "
        f"kernel.apparmor_restrict_unprivileged_userns=0): {trial.stderr.strip()}"
    )
