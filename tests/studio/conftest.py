"""A real szem server and one real Chromium for all studio tests; every page is watched for errors and stray requests."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# A camera that is always there, 60 frames a second; no sound of updates, no questions.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=fps=60",
]
DESKTOP = (1280, 900)
PHONE = (390, 844)
PATIENCE_MS = 20_000  # for a machine that has much else to do; nothing waits longer than it must

Visit = Callable[..., "Page"]


@pytest.fixture(scope="session")
def studio_url() -> Iterator[str]:
    """A szem server on a free port of this machine, as `szem studio` starts it."""
    uvicorn = pytest.importorskip("uvicorn", reason="the studio needs the server's packages")
    from szem.serve.app import build_app
    from szem.serve.server import bind
    from szem.serve.settings import ServeSettings

    settings = ServeSettings(port=0)
    sock = bind(settings.host, 0)
    config = uvicorn.Config(build_app(settings), log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < until, "the server did not start in 30 s"
        time.sleep(0.02)
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=15)
    sock.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """One Chromium for the whole session."""
    api = pytest.importorskip("playwright.sync_api", reason="drives a browser: pip install playwright")
    path = os.environ.get("SZEM_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        pytest.skip("needs a Chromium on the path, or SZEM_CHROMIUM set to one")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(chromium: "Browser", studio_url: str) -> Iterator[Callable[..., Any]]:
    """Run the studio's pure functions: `lab("kernels/sizes.js", "return m.spanOf(a, 2)", 3)` gives 5.

    `m` is the module, `a` the argument; one page serves all tests, nothing is drawn.
    """
    page = chromium.new_context().new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{studio_url}/i18n/en.json")  # a document of the same place, with nothing running in it

    def run(module: str, body: str, argument: object = None) -> Any:
        script = f"async ([path, a]) => {{ const m = await import(path); {body} }}"
        return page.evaluate(script, [f"/js/{module}", argument])

    yield run
    page.context.close()


@pytest.fixture
def visit(chromium: "Browser", studio_url: str) -> Iterator[Visit]:
    """Open a page of the studio: `visit("kernels", stride=2, lang="hu")`.

    Each page is watched: an error in its console, a script that throws, a request to another machine or an inline
    script or style that its policy refuses fails the test, unless the test says what it expects in `expect`.
    """
    contexts: list[Any] = []
    seen: list[str] = []
    expected: list[str] = []

    def open_page(
        name: str = "start",
        *,
        size: tuple[int, int] = DESKTOP,
        scheme: str = "light",
        locale: str = "en-GB",
        expect: tuple[str, ...] = (),
        touch: bool = False,
        before: Callable[["Page"], None] | None = None,
        ready: bool = True,
        **state: object,
    ) -> "Page":
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,  # type: ignore[arg-type]
            locale=locale,
            has_touch=touch,
            accept_downloads=True,
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        expected.extend(expect)
        page = context.new_page()
        page.on("pageerror", lambda error: seen.append(f"script: {error}"))
        page.on("console", lambda m: seen.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("request", lambda r: seen.append(f"elsewhere: {r.url}") if not _is_own(r.url, studio_url) else None)
        if before is not None:
            before(page)
        query = urlencode(state)
        page.goto(f"{studio_url}/#/{name}{'?' + query if query else ''}")
        page.wait_for_selector(f"html[data-ready={name}]" if ready else "html[data-ready]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    left = [one for one in seen if not any(part in one for part in expected)]
    assert not left, left


def _is_own(url: str, studio_url: str) -> bool:
    return url.startswith((studio_url, "blob:", "data:", "about:"))
