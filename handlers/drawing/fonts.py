"""Which letters a picture can have: Latin always, Chinese where the machine has one of these fonts."""

from functools import cache
from pathlib import Path

from bot.model.wording import spoken, tr

# Debian's fonts-wqy-microhei, fonts-noto-cjk and fonts-droid-fallback; the number is the face within the file.
CHINESE = (
    ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", 0),
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf", 0),
)


@cache
def chinese_font() -> tuple[str, int] | None:
    """File and face."""
    return next(((file, face) for file, face in CHINESE if Path(file).is_file()), None)


def is_chinese(text: str) -> bool:
    """Whether only a Chinese font has these letters."""
    return any(wide(one) for one in text)


def wide(one: str) -> bool:
    """Han characters, and the punctuation that goes with them."""
    return "\u3000" <= one <= "\u303f" or "\u4e00" <= one <= "\u9fff" or "\uff00" <= one <= "\uff60"


def label(text: str, /, **values: object) -> str:
    """`tr` for words inside a picture: English where no font could show the language in force."""
    if spoken() == "en" or chinese_font() is not None:
        return tr(text, **values)
    return text.format(**values) if values else text
