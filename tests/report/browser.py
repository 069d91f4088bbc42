"""A page in headless Chromium with real keys, clicks and downloads, over the browser's debugging pipe.

Chromium reads commands of the DevTools protocol from file descriptor 3 and writes answers to 4 (each ends with NUL), so
that neither a driver nor a socket is needed.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)
_SECONDS = 60
# What a key sends besides its name: its code and the number that old programs know it by.
_KEYS = {
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Tab": ("Tab", 9, ""),
    "End": ("End", 35, ""),
    "Home": ("Home", 36, ""),
    "PageDown": ("PageDown", 34, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
}


class Browser:
    """One page; `errors` holds what the page reported as wrong, and `requests` every address that it asked for."""

    def __init__(
        self, folder: Path, *, width: int = 1440, height: int = 900, dark: bool = False, arguments: tuple[str, ...] = ()
    ) -> None:
        assert CHROMIUM is not None
        self.downloads = folder / "downloads"
        self.errors: list[str] = []
        self.requests: list[str] = []
        theirs, ours = os.pipe(), os.pipe()  # what they read, what we read
        spare = [os.dup(fd) for fd in (theirs[0], ours[1])]  # so that neither is 3 or 4 by chance
        while min(spare) < 5:
            spare = [os.dup(fd) for fd in spare]

        def place() -> None:
            os.dup2(spare[0], 3)
            os.dup2(spare[1], 4)

        command = [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--remote-debugging-pipe",
        ]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={folder / 'profile'}", *arguments, "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=place,
            pass_fds=(3, 4),
        )
        self._write, self._read = theirs[1], ours[0]
        self._number, self._rest, self._session = 0, b"", ""
        targets = self.send("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        self._session = self.send("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.resize(width, height)
        media = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", features=media)
        session, self._session = self._session, ""
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))
        self._session = session

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command of the protocol. Raises AssertionError where it failed or nothing came."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        os.write(
            self._write,
            json.dumps({**message, **({"sessionId": self._session} if self._session else {})}).encode() + b"\0",
        )
        end = time.monotonic() + _SECONDS
        while True:
            answer = self._next(end)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                found: dict[str, Any] = answer["result"]
                return found

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.errors.append(f"dialog: {params['message']}")

    def open(self, address: str) -> None:
        """Open an address, and wait until it is loaded."""
        self.send("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def resize(self, width: int, height: int) -> None:
        """Give the window a size in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """The text of the first element that a selector finds, as it is seen."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def key(self, *names: str) -> None:
        """Press keys one after the other: a character, or a name such as Enter."""
        for name in names:
            code, number, text = _KEYS.get(name, ("", ord(name[0].upper()), name))
            key = {"key": name, "code": code, "windowsVirtualKeyCode": number}
            self.send("Input.dispatchKeyEvent", type="keyDown", **key, **({"text": text} if text else {}))
            self.send("Input.dispatchKeyEvent", type="keyUp", **key)

    def click(self, selector: str) -> None:
        """Click into the middle of the first element that a selector finds."""
        script = "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]"
        find = f"document.querySelector({json.dumps(selector)})"
        x, y = self.run(f"((e) => {{ e.scrollIntoView({{ block: 'nearest' }}); {script} }})({find})")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def download(self, seconds: float = 20) -> Path:
        """The next file that is downloaded, once it is whole, in a folder of its own."""
        end = time.monotonic() + seconds
        while True:
            found = list(self.downloads.glob("*"))
            if found and not any(path.suffix == ".crdownload" for path in found):
                self._number += 1
                target = self.downloads.with_name(f"downloaded-{self._number}")
                self.downloads.rename(target)
                return target / found[0].name
            assert time.monotonic() < end, "nothing was downloaded"
            self.run("0")
            time.sleep(0.05)

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as a PNG file."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))
