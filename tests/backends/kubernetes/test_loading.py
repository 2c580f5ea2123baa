"""Where libraries are loaded."""

import subprocess
import sys
from pathlib import Path

from lab.cluster.serving import Running

PROGRAM = """if True:
    import asyncio, sys, threading
    from pathlib import Path

    elsewhere = []

    class Watch:
        def find_spec(self, name, path=None, target=None):
            if threading.current_thread() is not threading.main_thread():
                elsewhere.append(name)

    sys.meta_path.insert(0, Watch())

    from backends.kubernetes.reader import KubernetesReader
    from backends.kubernetes.settings import KubernetesSettings
    from bot.model.errors import BackendError

    async def main():
        reader = KubernetesReader("qa", KubernetesSettings(kubeconfig=Path(sys.argv[1])))
        try:
            await reader.facts()
        except BackendError as error:
            assert "nobody listens there" in str(error), error
        await reader.close()

    asyncio.run(main())
    print(*(name for name in elsewhere if name.partition(".")[0] in ("kubernetes", "requests", "urllib3", "yaml")))
"""
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: qa
contexts: [{name: qa, context: {cluster: qa, user: bot}}]
clusters: [{name: qa, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: bot, user: {token: none}}]
"""


def test_no_library_is_loaded_by_a_worker_while_the_loops_thread_may_load_another(tmp_path: Path) -> None:
    """Both would meet what they have in common half loaded: a command ended with an ImportError now and then."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(kubeconfig)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr


LOADED = """if True:
    import sys
    from pathlib import Path
    from backends.kubernetes.access import plainly
    from backends.kubernetes.settings import KubernetesSettings

    assert plainly(KubernetesSettings(kubeconfig=Path(sys.argv[1]))) is not None
    print(*{"kubernetes", "requests", "urllib3"} & set(sys.modules))
"""


def test_a_plain_file_needs_nothing_of_the_official_client(served: Running, tmp_path: Path) -> None:
    """It takes a fifth of the time in which a command on the terminal should be over."""
    command = [sys.executable, "-c", LOADED, str(served.write_kubeconfig(tmp_path / "kubeconfig"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr
