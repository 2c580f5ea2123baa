"""Write docs/findings.md from the table of causes.

python -m bench.findings
"""

from pathlib import Path

from bot.model.causes.page import page

PAGE = Path(__file__).parent.parent / "docs/findings.md"

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE} is up to date")
