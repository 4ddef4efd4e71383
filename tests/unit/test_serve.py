"""The process: it starts, says what keeps it from starting, serves what it should, and stops when told."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from crossplane.function.proto.v1 import run_function_pb2 as fnv1
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from functions.kit.serve import SERVICE
from tests.cases import BY_NAME
from tests.requests import request_of
from tools.crossplane import ROOT, free_address

RUN = f"/{SERVICE}/RunFunction"


@contextmanager
def process(*arguments: str, env: dict[str, str] | None = None) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "functions.postgresql", *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "TLS_SERVER_CERTS_DIR"} | (env or {})
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment) as started:
        try:
            yield started
        finally:
            started.kill()


def refused(*arguments: str) -> str:
    """Start a function that must not start; return what it said."""
    with process(*arguments) as started:
        _, said = started.communicate(timeout=20)
    assert started.returncode == 1, said
    return said


@pytest.fixture
def insecure() -> Iterator[grpc.Channel]:
    address = free_address()
    with process("--address", address, "--insecure"), grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=20)
        yield channel


def call(channel: grpc.Channel, message: bytes) -> fnv1.RunFunctionResponse:
    send: grpc.UnaryUnaryMultiCallable[bytes, fnv1.RunFunctionResponse] = channel.unary_unary(
        RUN, request_serializer=bytes, response_deserializer=fnv1.RunFunctionResponse.FromString
    )
    return send(message, timeout=10)


def certificates(folder: Path) -> None:
    """Make an authority and a certificate of 127.0.0.1 for server and client alike, named as Crossplane names them."""
    openssl = shutil.which("openssl") or "openssl"
    make = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    alternative = "subjectAltName=IP:127.0.0.1"
    commands = [
        [*make, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt"],
        [
            *make,
            "-subj",
            "/CN=function",
            "-addext",
            alternative,
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-keyout",
            "tls.key",
            "-out",
            "tls.crt",
        ],
    ]
    for command in commands:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "said", "why"),
    [
        (["--address", "127.0.0.1:0"], "give --tls-certs-dir DIR", "neither TLS nor --insecure: never in clear by accident"),
        (["--tls-certs-dir", "/nowhere"], "cannot read /nowhere/tls.key: No such file", "no certificates"),
        (["--address", "192.0.2.1:9443", "--insecure"], "cannot listen on 192.0.2.1:9443", "not an address of this machine"),
    ],
)
def test_one_clear_line_when_it_cannot_start(arguments: list[str], said: str, why: str) -> None:
    lines = refused(*arguments).splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("function-postgresql cannot start: "), why
    assert said in lines[0], why


def test_a_port_is_never_shared_in_silence() -> None:
    address = free_address()
    with process("--address", address, "--insecure"), grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=20)
        assert f"cannot listen on {address}" in refused("--address", address, "--insecure")


def test_certificates_that_are_none(tmp_path: Path) -> None:
    for name in ("tls.key", "tls.crt", "ca.crt"):
        (tmp_path / name).write_text("no certificate")
    assert "cannot" in refused("--address", free_address(), "--tls-certs-dir", str(tmp_path))


def test_sigterm_ends_it_cleanly_and_logs_are_json() -> None:
    address = free_address()
    with process("--address", address, "--insecure") as started:
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
            call(channel, request_of(BY_NAME["postgresql/exoscale-small"]).SerializeToString())
        started.send_signal(signal.SIGTERM)
        _, logs = started.communicate(timeout=20)
    assert started.returncode == 0
    assert [json.loads(line)["message"] for line in logs.splitlines()] == ["serving", "stopped"], "nothing is logged per request"


def test_it_answers_over_grpc(insecure: grpc.Channel) -> None:
    response = call(insecure, request_of(BY_NAME["postgresql/exoscale-small"]).SerializeToString())
    assert set(response.desired.resources) == {"server", "protection"}
    assert response.meta.ttl.seconds == 60
    assert response.meta.tag == "0123456789abcdef"


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"\xff\xff\xff", "no protobuf at all"),
        (b"\x0a\xff\xff\xff\xff\x7f", "a length that is not there"),
    ],
)
def test_what_is_no_request_is_refused_in_a_sentence(insecure: grpc.Channel, message: bytes, why: str) -> None:
    with pytest.raises(grpc.RpcError) as error:
        call(insecure, message)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT, why
    assert "no RunFunctionRequest or is nested too deeply" in (error.value.details() or "")


def test_a_request_nested_too_deeply_is_refused(insecure: grpc.Channel) -> None:
    request = fnv1.RunFunctionRequest()
    value = request.input.fields["deep"]
    for _ in range(60):
        value = value.struct_value.fields["deeper"]
    value.bool_value = True
    with pytest.raises(grpc.RpcError) as error:
        call(insecure, request.SerializeToString())
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_health_is_served(insecure: grpc.Channel) -> None:
    answer = health_pb2_grpc.HealthStub(insecure).Check(  # type: ignore[attr-defined]  # made at run time
        health_pb2.HealthCheckRequest(service=SERVICE), timeout=10
    )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def services(channel: grpc.Channel) -> list[str]:
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    answers = stub.ServerReflectionInfo(asked, timeout=10)  # type: ignore[operator]  # made at run time
    return [service.name for service in next(answers).list_services_response.service]


def test_reflection_is_served_only_where_asked(insecure: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as error:
        services(insecure)
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
    address = free_address()
    with process("--address", address, "--insecure", "--reflection"), grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=20)
        assert SERVICE in services(channel)


@pytest.mark.parametrize("by", ["flag", "environment"])
def test_mutual_tls(tmp_path: Path, by: str) -> None:
    certificates(tmp_path)
    authority, key, certificate = ((tmp_path / name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt"))
    address = free_address()
    arguments = ["--tls-certs-dir", str(tmp_path)] if by == "flag" else []
    env = {} if by == "flag" else {"TLS_SERVER_CERTS_DIR": str(tmp_path)}
    message = request_of(BY_NAME["postgresql/exoscale-small"]).SerializeToString()
    with process("--address", address, *arguments, env=env):
        with grpc.secure_channel(address, grpc.ssl_channel_credentials(authority, key, certificate)) as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
            assert call(channel, message).desired.resources
        with grpc.secure_channel(address, grpc.ssl_channel_credentials(authority)) as stranger, pytest.raises(grpc.RpcError):
            call(stranger, message)


def test_make_functions_leaves_none_behind_when_make_is_told_to_end() -> None:
    addresses = {kind: free_address() for kind in ("app", "postgresql", "vm")}
    ports = [f"PORT_{kind}={address.rpartition(':')[2]}" for kind, address in addresses.items()]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    command = [shutil.which("make") or "make", "functions", *ports]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as started:
        try:
            for address in addresses.values():
                with grpc.insecure_channel(address) as channel:
                    grpc.channel_ready_future(channel).result(timeout=20)
        finally:
            started.terminate()
    deadline = time.monotonic() + 20
    while served := [address for address in addresses.values() if listens(address)]:
        assert time.monotonic() < deadline, served
        time.sleep(0.1)


def listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
