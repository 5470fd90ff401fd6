"""Take the pictures of docs/studio.md: `python docs/tools/studio_pictures.py` (needs Chromium and playwright)."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).resolve().parent.parent / "pictures"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
DESKTOP, PHONE = (1280, 860), (390, 844)

# Name -> address after the slash, size, colours.
SHOTS: dict[str, tuple[str, tuple[int, int], str]] = {
    "studio-start": ("", DESKTOP, "light"),
    "studio-kernels-light": ("#/kernels?picture=cameraman&kernel=sobel-x&at=260,150&view=signed", DESKTOP, "light"),
    "studio-kernels-dark-hu": ("#/kernels?picture=cat&kernel=outline&lang=hu", DESKTOP, "dark"),
    "studio-kernels-phone": ("#/kernels?picture=cameraman&kernel=emboss", PHONE, "light"),
    "studio-recognise-light": ("#/recognise?picture=cat", DESKTOP, "light"),
    "studio-recognise-dark-hu": ("#/recognise?picture=coffee&lang=hu", DESKTOP, "dark"),
}


def main() -> None:
    """Start a server, visit each page, write each picture."""
    command = [sys.executable, "-m", "szem", "studio", "--no-browser", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert server.stdout is not None
        address = next(found[0] for line in server.stdout if (found := re.search(r"http://[\d.]+:\d+", line)))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            for name, (path, (width, height), colours) in SHOTS.items():
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=colours)
                page = context.new_page()
                page.goto(f"{address}/{path}")
                page.wait_for_timeout(6000)
                page.screenshot(path=PICTURES / f"{name}.jpg", type="jpeg", quality=85)
                context.close()
                print(name)
            browser.close()
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
