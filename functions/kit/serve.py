"""The process of a function: command line, gRPC server, clean shutdown."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

# gRPC's C core logs in a format of its own, and what it knows is in our one line. It reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from crossplane.function.proto.v1 import run_function_pb2 as fnv1
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from functions.kit import logs
from functions.kit.answer import answer
from functions.kit.composition import Composition
from functions.kit.request import Request

SERVICE: Final = "apiextensions.fn.proto.v1.FunctionRunnerService"

# Where Crossplane expects a function's pod to listen, with mutual TLS.
DEFAULT_ADDRESS: Final = "0.0.0.0:9443"  # a pod has an address of its own

# The work holds the interpreter's lock, so more threads only wait for one another.
_THREADS: Final = 4
_GRACE_SECONDS: Final = 5
# A claim with everything that was observed of it; gRPC's own limit of 4 MiB is too small for large ones.
_LARGEST_REQUEST: Final = 16 * 1024 * 1024

log = logging.getLogger(__name__)


class CannotStart(Exception):  # noqa: N818  # a sentence for the operator
    """The function cannot serve; the text says why in one line."""


def main(kind: str, compose: Callable[[Request], Composition], arguments: Sequence[str] | None = None) -> int:
    """Run a function until it is told to stop.

    Args:
        kind: The kind of claim in lower case.
        compose: The function's own work.
        arguments: The command line, the process's own unless given.

    Returns:
        The exit code: 0 after SIGTERM or SIGINT, 1 where it cannot start.
    """
    options = _options(kind, arguments)
    logs.configure(debug=options.debug)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = _server(kind, compose, reflection=options.reflection)
        _listen(server, options.address, _credentials(options))
    except CannotStart as error:
        print(f"function-{kind} cannot start: {error}", file=sys.stderr)  # noqa: T201  # the operator's one clear line
        return 1
    server.start()
    log.info("serving", extra={"kind": kind, "address": options.address})
    stop.wait()
    server.stop(_GRACE_SECONDS).wait()
    log.info("stopped", extra={"kind": kind})
    return 0


def _options(kind: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m functions.{kind}", description=f"The composition function for {kind} claims."
    )
    parser.add_argument(
        "--address", default=DEFAULT_ADDRESS, metavar="HOST:PORT", help="where to listen (default %(default)s)"
    )  # the pod's port, mutual TLS
    tls = parser.add_mutually_exclusive_group()
    tls.add_argument("--insecure", action="store_true", help="serve without TLS; for development only")
    tls.add_argument(
        "--tls-certs-dir",
        type=Path,
        default=os.environ.get("TLS_SERVER_CERTS_DIR"),
        metavar="DIR",
        help="folder with tls.crt, tls.key and ca.crt for mutual TLS (default: $TLS_SERVER_CERTS_DIR)",
    )
    parser.add_argument("--reflection", action="store_true", help="serve gRPC reflection")
    parser.add_argument("--debug", action="store_true", help="log every request's name")
    return parser.parse_args(arguments)


def _credentials(options: argparse.Namespace) -> grpc.ServerCredentials | None:
    if options.insecure:
        return None
    if options.tls_certs_dir is None:
        raise CannotStart("give --tls-certs-dir DIR (or set TLS_SERVER_CERTS_DIR), or --insecure for development")
    folder = Path(options.tls_certs_dir)
    try:
        key, certificate, authority = ((folder / name).read_bytes() for name in ("tls.key", "tls.crt", "ca.crt"))
    except OSError as error:
        raise CannotStart(f"cannot read {error.filename}: {error.strerror}") from error
    return grpc.ssl_server_credentials([(key, certificate)], root_certificates=authority, require_client_auth=True)


def _server(kind: str, compose: Callable[[Request], Composition], *, reflection: bool) -> grpc.Server:
    def run(message: bytes, context: grpc.ServicerContext) -> fnv1.RunFunctionResponse:
        try:
            request = fnv1.RunFunctionRequest.FromString(message)
        except Exception:  # noqa: BLE001  # protobuf's DecodeError is another class in each of its implementations
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the request is no RunFunctionRequest or is nested too deeply")
        log.debug("request", extra={"kind": kind, "tag": request.meta.tag})
        return answer(request, kind, compose)

    # Bytes in: a request that cannot be parsed is ours to answer, or grpc would log it with a traceback.
    handler: grpc.RpcMethodHandler[bytes, fnv1.RunFunctionResponse] = grpc.unary_unary_rpc_method_handler(
        run, response_serializer=fnv1.RunFunctionResponse.SerializeToString
    )
    server = grpc.server(
        ThreadPoolExecutor(max_workers=_THREADS),
        # Two servers would share a port in silence, each getting half of the requests.
        options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", _LARGEST_REQUEST)],
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"RunFunction": handler}),))
    checks = health.HealthServicer()
    checks.set("", health_pb2.HealthCheckResponse.SERVING)
    checks.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    if reflection:
        from grpc_reflection.v1alpha import reflection as service  # noqa: PLC0415  # loaded only where asked for

        service.enable_server_reflection((SERVICE, health.SERVICE_NAME, service.SERVICE_NAME), server)
    return server


def _listen(server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None) -> None:
    try:
        port = server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise CannotStart(f"cannot listen on {address}: it is in use, not ours, or the TLS files are unfit") from error
    if port == 0:
        raise CannotStart(f"cannot listen on {address}: it is in use, not ours, or the TLS files are unfit")
