"""A headless Chromium, driven through the Chrome DevTools Protocol over a WebSocket.

Just enough for page tests, so that no browser-automation package is needed: open a page, run JavaScript in it, type,
wait for a condition, and see which requests it made.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

START_SECONDS: Final = 30.0
WAIT_SECONDS: Final = 90.0
_FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--remote-debugging-port=0", "--window-size=1280,900",
)  # fmt: skip


def find_chromium() -> str | None:
    """The browser's executable, or None when this machine has none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


class Browser:
    """The connection to one Chromium process. `page` opens a tab with cookies and storage of its own."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}

    async def page(self, url: str, *, beside: Page | None = None, width: int = 1280, dark: bool = False) -> Page:
        """Open `url` and wait until it has loaded; `beside` another tab, with which it shares cookies and storage.

        `width` is in CSS pixels, below 500 that of a phone; `dark` is which colours the person's system asks for.
        """
        context = beside.context if beside else (await self.send("Target.createBrowserContext"))["browserContextId"]
        target = await self.send("Target.createTarget", url="about:blank", browserContextId=context)
        session = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self, session["sessionId"], context)
        self._listeners[session["sessionId"]] = page.note
        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.send(f"{domain}.enable")
        await page.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await page.send("Emulation.setEmulatedMedia", features=[scheme])
        await page.go(url)
        return page

    async def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """One protocol command and its result. Raises RuntimeError with the browser's sentence when it refuses."""
        number = next(self._ids)
        self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        await self._socket.send(json.dumps(message if session is None else {**message, "sessionId": session}))
        answer = await asyncio.wait_for(self._answers[number], WAIT_SECONDS)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def read(self) -> None:
        """Hand out what the browser sends, until the connection ends."""
        with suppress(ConnectionClosed):
            async for text in self._socket:
                message = json.loads(text)
                if "id" in message:
                    self._answers.pop(message["id"]).set_result(message)
                elif listener := self._listeners.get(message.get("sessionId", "")):
                    listener(message["method"], message["params"])


class Page:
    """One tab. `requests` are the URLs it asked for, `errors` what its console complained of."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self.context = context
        self._urls: dict[str, str] = {}
        self.requests: list[str] = []
        self.blocked: list[str] = []
        self.errors: list[str] = []

    def note(self, method: str, params: dict[str, Any]) -> None:
        """Record one event of the browser."""
        if method == "Network.requestWillBeSent":
            self._urls[params["requestId"]] = params["request"]["url"]
            self.requests.append(params["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(params["url"])
        elif method == "Network.loadingFailed" and params.get("blockedReason") == "csp":
            self.blocked.append(self._urls.get(params["requestId"], ""))
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])

    def strangers(self, base_url: str) -> list[str]:
        """Requests that left, or would have left, for anywhere but `base_url`."""
        own = (base_url, base_url.replace("http", "ws", 1), "data:", f"blob:{base_url}")
        return [url for url in self.requests if not url.startswith(own)]

    async def go(self, url: str) -> None:
        """Open `url` in this tab and wait until it has loaded."""
        await self.run("window.left = true")
        await self.send("Page.navigate", url=url)
        await self.wait_for("!window.left && document.readyState === 'complete'")

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One protocol command for this tab."""
        return await self._browser.send(method, self._session, **params)

    async def run(self, script: str) -> Any:
        """The value of a JavaScript expression (promises are awaited). Raises AssertionError when it throws."""
        answer = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    async def wait_for(self, script: str) -> None:
        """Return once an expression is truthy. Raises AssertionError, saying what the page shows, if it never is."""
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if await self.run(f"!!({script})"):
                return
            await asyncio.sleep(0.05)
        shown = await self.run("document.body && document.body.innerText.slice(0, 2000)")
        raise AssertionError(f"never true: {script}\nerrors: {self.errors}\nthe page says: {shown}")

    async def click(self, selector: str) -> None:
        """Click the element once it is there and enabled."""
        found = f"document.querySelector({json.dumps(selector)})"
        await self.wait_for(f"{found} && !{found}.disabled")
        await self.run(f"{found}.click()")

    async def type(self, selector: str, text: str) -> None:
        """Focus the field once it is there, and type into it as a keyboard would."""
        found = f"document.querySelector({json.dumps(selector)})"
        await self.wait_for(f"{found} && (({found}.focus(), document.activeElement === {found}))")
        await self.send("Input.insertText", text=text)

    async def screenshot(self, path: Path) -> None:
        """What is seen now, as a PNG."""
        picture = await self.send("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(picture["data"]))


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start a Chromium with an empty profile; end it, and only it, with the block."""
    executable = find_chromium()
    if executable is None:
        raise RuntimeError("there is no chromium on this machine")
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            executable, *_FLAGS, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with connect(await _endpoint(Path(profile), process), max_size=None, proxy=None) as socket:
                browser = Browser(socket)
                reader = asyncio.create_task(browser.read())
                try:
                    yield browser
                finally:
                    reader.cancel()
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _endpoint(profile: Path, process: asyncio.subprocess.Process) -> str:
    """The browser's WebSocket address, which it writes into its profile when it listens."""
    note = profile / "DevToolsActivePort"
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if process.returncode is not None:
            raise RuntimeError(f"chromium ended at once, with {process.returncode}")
        lines = note.read_text().splitlines() if note.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        await asyncio.sleep(0.05)
    raise RuntimeError("chromium did not open its debugging port")
