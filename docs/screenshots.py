"""Take the pictures of README and docs again; needs chromium.

`python docs/screenshots.py SITE`: what `reports site` made of the runs of several servers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
CHECK = "tool_choice.a_name_forces_that_function"
TO_THE_MATRIX = 'scrollTo(0, document.getElementById("ui-tools").getBoundingClientRect().top + scrollY)'


def take(browser: Browser, page: Path, name: str, *, height: int, script: str = "") -> None:
    context = browser.new_context(viewport={"width": 1440, "height": height}, color_scheme="light")
    shown = context.new_page()
    shown.goto(page.resolve().as_uri())
    if script:
        shown.evaluate(script)
    shown.screenshot(path=HERE / f"{name}.png")
    context.close()


def main() -> None:
    site = Path(sys.argv[1])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        take(browser, site / "index.html", "matrix-light", height=1300, script=TO_THE_MATRIX)
        take(browser, site / "checks" / f"{CHECK}.html", "check-light", height=820)
        take(browser, site / "versions" / "llamacpp.html", "versions-light", height=760)
        browser.close()


if __name__ == "__main__":
    main()
