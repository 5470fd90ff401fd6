"""A real szem server and one real Chromium for all studio tests; every page is watched for errors and stray requests.

While a page is being written, SZEM_STUDIO_URL set to the address that `szem studio` prints has the tests use that
server: it need not be started for each run. Tests that prepare the server's own files then fail.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from .guard_scenes import fill_store
from .seeing import PATIENCE_S, until

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
PATIENCE_MS = 1000 * PATIENCE_S
RUNNING, _, _key = os.environ.get("SZEM_STUDIO_URL", "").partition("/#key=")
KEY = _key or "a-key-for-the-tests-of-the-studio"

Visit = Callable[..., "Page"]


@pytest.fixture(scope="session")
def studio_guard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server looks for a guard's events; nothing is there until a test puts it there."""
    return tmp_path_factory.mktemp("guard") / "store"


@pytest.fixture(scope="session")
def kept_events(studio_guard: Path) -> list[str]:
    """Five events of a guard, the oldest first: their ids."""
    return fill_store(studio_guard)


@pytest.fixture(scope="session")
def squares(color_detector: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The little network that really looks, among the user's models before the server's workers start."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(color_detector, home / "models" / "squares")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SZEM_HOME", str(home))
        yield


@pytest.fixture(scope="session")
def studio_url(studio_guard: Path, squares: None) -> Iterator[str]:
    """A szem server on a free port of this machine, as `szem studio` starts it."""
    if RUNNING:
        yield RUNNING
        return
    uvicorn = pytest.importorskip("uvicorn", reason="the studio needs the server's packages")
    from szem.serve.app import build_app
    from szem.serve.server import bind
    from szem.serve.settings import ServeSettings

    settings = ServeSettings(port=0, guard_store=studio_guard, key=KEY)
    sock = bind(settings.host, 0)
    config = uvicorn.Config(build_app(settings), log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    end = time.monotonic() + PATIENCE_S
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < end, "the server did not start in time"
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
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS, timeout=PATIENCE_MS)
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


class Watch:
    """What a page must not do: write errors to its console, throw, ask another machine."""

    def __init__(self, studio_url: str) -> None:
        self.own = (studio_url, "blob:", "data:", "about:")
        self.seen: list[str] = []

    def over(self, page: "Page") -> None:
        """Watch a page from now on."""
        page.on("pageerror", lambda error: self.seen.append(f"script: {error}"))
        page.on("console", lambda m: self.seen.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("request", lambda r: None if r.url.startswith(self.own) else self.seen.append(f"elsewhere: {r.url}"))

    def take(self, expected: tuple[str, ...]) -> list[str]:
        """What was seen since the last time, without what is expected."""
        seen, self.seen = self.seen, []
        return [one for one in seen if not any(part in one for part in expected)]


@pytest.fixture(scope="session")
def watch(studio_url: str) -> Watch:
    """One watch over all pages of the session."""
    return Watch(studio_url)


@pytest.fixture(scope="session")
def shared_page(chromium: "Browser", studio_url: str, watch: Watch) -> Iterator["Page"]:
    """A page that most tests use one after the other: what is loaded stays loaded."""
    page = chromium.new_context(viewport=_sides(DESKTOP), locale="en-GB", color_scheme="light").new_page()
    page.set_default_timeout(PATIENCE_MS)
    watch.over(page)
    page.goto(f"{studio_url}/#key={KEY}")
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page
    page.context.close()


@pytest.fixture
def visit(chromium: "Browser", studio_url: str, watch: Watch, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Open a page of the studio: `visit("kernels", stride=2, lang="hu")`.

    Most visits share one page and only change its address. `fresh`, or any option of the browser, gets a page of its
    own. An error in the console, a script that throws or a request to another machine fails the test, unless
    `expect` names a part of it. The page has the owner's key, as after opening the address that szem studio prints,
    unless `key` is another one, or empty.
    """
    contexts: list[Any] = []
    expected: list[str] = []
    watch.take(())

    def open_page(
        name: str = "start",
        *,
        fresh: bool = False,
        expect: tuple[str, ...] = (),
        before: Callable[["Page"], None] | None = None,
        ready: bool = True,
        key: str = KEY,
        browser: dict[str, Any] | None = None,
        **state: object,
    ) -> "Page":
        expected.extend(expect)
        wanted = f"html[data-ready={name}]" if ready else "html[data-ready]"
        if fresh or before or browser or key != KEY:
            options = {"viewport": _sides(DESKTOP), "locale": "en-GB", "color_scheme": "light"} | (browser or {})
            context = chromium.new_context(**options)
            context.set_default_timeout(PATIENCE_MS)
            if key:
                context.add_init_script(f"sessionStorage.setItem('szem.key', {key!r})")
            contexts.append(context)
            page = context.new_page()
            watch.over(page)
            if before is not None:
                before(page)
            query = urlencode(state)
            page.goto(f"{studio_url}/#/{name}{'?' + query if query else ''}")
        else:
            page = request.getfixturevalue("shared_page")
            # what the last test left does not reach into this one: a picture on its way, the pointer on something
            until(page, "!document.querySelector('.source-bar[data-busy]')")
            page.mouse.move(0, 0)
            query = urlencode({"lang": "en", "theme": "light"} | state | {"visit": str(time.monotonic_ns())})
            page.evaluate(
                "(hash) => new Promise((done) => { addEventListener('hashchange', () => requestAnimationFrame(done), "
                "{ once: true }); location.hash = hash; })",
                f"#/{name}?{query}",
            )
        page.wait_for_selector(wanted, state="attached")
        until(page, "await document.fonts.ready")  # nothing moves any more because letters grow wider
        return page

    yield open_page
    for context in contexts:
        context.close()
    left = watch.take(tuple(expected))
    assert not left, left


def _sides(size: tuple[int, int]) -> Any:
    return {"width": size[0], "height": size[1]}
