"""Take the pictures of README and docs again; needs chromium.

`python docs/screenshots.py reports/latest/index.html [SITE]`: a report of one target, and what `reports site` made.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
OPEN_ONE = """() => {
  const checks = [...document.querySelectorAll("details.check")];
  const one = checks.find((c) => c.dataset.outcome === "ignored" && c.textContent.includes("differs from the control"))
    || checks.find((c) => c.querySelector(".exchange"));
  for (let up = one; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
  one.querySelectorAll(".exchange").forEach((e) => { e.open = e.querySelector(".role").textContent === "judged"; });
  one.scrollIntoView();
}"""


def take(browser: Browser, page: Path, name: str, *, scheme: str, width: int, height: int, script: str = "") -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    shown = context.new_page()
    shown.goto(page.resolve().as_uri())
    if script:
        shown.evaluate(script)
    shown.screenshot(path=HERE / f"{name}.png")
    context.close()


def main() -> None:
    page = Path(sys.argv[1])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            take(browser, page, f"matrix-{scheme}", scheme=scheme, width=1440, height=1300)
        take(browser, page, "evidence-light", scheme="light", width=1440, height=1000, script=OPEN_ONE)
        take(browser, page, "matrix-phone", scheme="light", width=400, height=900)
        if len(sys.argv) > 2:
            site = Path(sys.argv[2])
            take(browser, site / "index.html", "site-light", scheme="light", width=1440, height=1000)
            take(browser, site / "changes.html", "changes-light", scheme="light", width=1440, height=700)
        browser.close()


if __name__ == "__main__":
    main()
