"""What registries say when they do not have something; only then may something be published."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import pytest

from package.publish import CannotPublish, digest

# By name: the status, and the body, as each writes it.
ANSWERS: Final = {
    "distribution": (404, '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'),
    "new": (404, '{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}'),
    "harbor": (404, '{"errors":[{"code":"NOT_FOUND","message":"artifact platform/harbor:v1 not found"}]}'),
    "silent": (404, ""),
    "denied": (403, '{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}'),
    "broken": (500, '{"errors":[{"code":"UNKNOWN","message":"unknown error"}]}'),
}


class Registry(BaseHTTPRequestHandler):
    """Answers as the registry that the repository is called after."""

    def do_GET(self) -> None:
        status, body = ANSWERS.get(self.path.split("/")[3] if self.path.count("/") > 3 else "", (200, ""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body.encode())

    do_HEAD = do_GET  # noqa: N815  # as http.server names it

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", ["distribution", "new", "harbor", "silent"])
def test_a_registry_that_does_not_have_it_is_understood(name: str, host: str) -> None:
    assert not digest(f"{host}/platform/{name}:v1")


@pytest.mark.parametrize("name", ["denied", "broken"])
def test_a_registry_that_does_not_tell_is_not_taken_for_an_empty_one(name: str, host: str) -> None:
    with pytest.raises(CannotPublish, match="the registry does not say whether it has"):
        digest(f"{host}/platform/{name}:v1")
