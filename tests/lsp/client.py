"""An editor: starts the real server as a process and speaks the protocol with it over stdio.

Written for these tests, so that what goes over the wire is judged by something other than the server's own library.
"""

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

CURSOR = "¦"
PATIENCE_S = 300  # after which a missing answer is a failure; nothing is measured by it


class Refusal(Exception):
    """The server answered a request with an error."""


def cursor(marked: str) -> tuple[str, dict[str, int]]:
    """The text without its `¦`, and where that stood, in lines and UTF-16 units."""
    before, _, after = marked.partition(CURSOR)
    lines = before.split("\n")
    return before + after, {"line": len(lines) - 1, "character": len(lines[-1].encode("utf-16-le")) // 2}


def applied(text: str, edits: list[dict[str, Any]]) -> str:
    """The text after edits, counted in UTF-16 units."""
    lines = [line.encode("utf-16-le") for line in text.split("\n")]
    for edit in sorted(edits, key=lambda each: (each["range"]["start"]["line"], each["range"]["start"]["character"]))[
        ::-1
    ]:
        start, end = edit["range"]["start"], edit["range"]["end"]
        assert start["line"] == end["line"]
        line = lines[start["line"]]
        new = edit["newText"].encode("utf-16-le")
        lines[start["line"]] = line[: start["character"] * 2] + new + line[end["character"] * 2 :]
    return "\n".join(line.decode("utf-16-le") for line in lines)


class Client:
    def __init__(self, *arguments: str, capabilities: dict[str, Any] | None = None) -> None:
        command = [sys.executable, "-m", "autopack", "lsp", *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._number = 0
        self.messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._answers: dict[int, dict[str, Any]] = {}
        self._told: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []  # what the server wanted of the client
        self._errors: list[bytes] = []
        self._listeners = [threading.Thread(target=each) for each in (self._listen, self._listen_to_errors)]
        for listener in self._listeners:
            listener.start()
        wanted = {"processId": None, "rootUri": None, "capabilities": capabilities or {}}
        self.capabilities = self.request("initialize", wanted)["capabilities"]
        self.notify("initialized", {})

    # --- the wire ---

    def _listen(self) -> None:
        out = self._process.stdout
        assert out is not None
        while header := out.readline():
            length = int(header.removeprefix(b"Content-Length: "))
            while out.readline() != b"\r\n":
                pass
            self.messages.put(json.loads(out.read(length)))
        self.messages.put(None)

    def _listen_to_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors += list(self._process.stderr)

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _take(self) -> None:
        message = self.messages.get(timeout=PATIENCE_S)
        assert message is not None, b"".join(self._errors).decode()
        if "method" in message and "id" in message:
            self.asked.append(message)
            self._send({"id": message["id"], "result": None})
        elif "method" in message:
            self._told.append(message)
        else:
            self._answers[message["id"]] = message

    def request(self, method: str, params: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while self._number not in self._answers:
            self._take()
        answer = self._answers.pop(self._number)
        if "error" in answer:
            raise Refusal(answer["error"]["message"])
        return answer["result"]

    def notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def end(self) -> int:
        """The exit code of a server that is asked to end."""
        self.request("shutdown", None)
        self.notify("exit", None)
        return self._process.wait(PATIENCE_S)

    def left(self) -> int:
        """The exit code of a server that ends by itself."""
        return self._process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)
        for listener in self._listeners:
            listener.join(PATIENCE_S)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    # --- findings ---

    def findings(self, uri: str, version: int | None = None) -> list[dict[str, Any]]:
        """What is next said about a file, and about no older version of it than this one."""
        while True:
            for message in self._told:
                said = message["params"]
                if message["method"] != "textDocument/publishDiagnostics" or said["uri"] != uri:
                    continue
                if version is None or (said.get("version") or 0) >= version:
                    self._told.remove(message)
                    found: list[dict[str, Any]] = said["diagnostics"]
                    return found
            self._take()


class Editor:
    """A folder of files, of which some are open."""

    def __init__(self, client: Client, root: Path) -> None:
        self.client = client
        self.root = root
        self.versions: dict[str, int] = {}
        self.texts: dict[str, str] = {}

    def uri(self, path: str) -> str:
        return (self.root / path).as_uri()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def open(self, path: str, text: str | None = None) -> None:
        self.texts[path] = (self.root / path).read_text(encoding="utf-8") if text is None else text
        self.versions[path] = 1
        item = {"uri": self.uri(path), "languageId": "yaml", "version": 1, "text": self.texts[path]}
        self.client.notify("textDocument/didOpen", {"textDocument": item})

    def type(self, path: str, text: str) -> None:
        """The whole text of a file after a change, opened first if need be."""
        if path not in self.versions:
            self.open(path, text)
            return
        self.versions[path] += 1
        self.texts[path] = text
        document = {"uri": self.uri(path), "version": self.versions[path]}
        self.client.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def close(self, path: str) -> None:
        del self.versions[path], self.texts[path]
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri(path)}})

    def findings(self, path: str) -> list[dict[str, Any]]:
        return self.client.findings(self.uri(path), self.versions.get(path))

    def at(self, method: str, path: str, marked: str, **more: Any) -> Any:
        """Ask about the place of the `¦` in the text, which is typed first."""
        text, position = cursor(marked)
        self.type(path, text)
        params = {"textDocument": {"uri": self.uri(path)}, "position": position, **more}
        return self.client.request(f"textDocument/{method}", params)

    def completed(self, path: str, marked: str) -> dict[str, str]:
        """Each suggestion with the text after taking it."""
        items = self.at("completion", path, marked)["items"]
        return {item["label"]: applied(self.texts[path], [item["textEdit"]]) for item in items}

    def places(self, found: list[dict[str, Any]]) -> list[tuple[str, int, int, int, int]]:
        """Locations as path and range, in order."""
        return sorted((self._path(each["uri"]), *numbers(each["range"])) for each in found)

    def _path(self, uri: str) -> str:
        return uri.removeprefix(self.root.as_uri() + "/")


def numbers(given: dict[str, Any]) -> tuple[int, int, int, int]:
    start, end = given["start"], given["end"]
    return start["line"], start["character"], end["line"], end["character"]
