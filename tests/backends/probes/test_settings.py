import pytest
from pydantic import ValidationError

from backends.probes.settings import ProbeSettings


def test_probes_start_here_or_at_a_proxy() -> None:
    assert ProbeSettings().proxy is None
    assert ProbeSettings(vantage="socks5://10.0.0.1:1080").proxy == ("10.0.0.1", 1080)


@pytest.mark.parametrize(
    "vantage",
    [
        "",
        "proxy:1080",
        "socks5://proxy",
        "http://proxy:1080",
        "socks5://u:p@proxy:1080",
        "socks5://p:port",
        "socks5://p..q:1080",
    ],
)
def test_another_vantage_is_explained(vantage: str) -> None:
    with pytest.raises(ValidationError, match="socks5://host:port"):
        ProbeSettings(vantage=vantage)
