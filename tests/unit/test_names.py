"""Names are valid, short enough and never shared."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from functions.kit import names
from functions.kit.refusal import Refusal
from tests.cases import EXAMPLES, load, merged
from tests.requests import documents, edit, fatal, plain, request, run, with_defaults
from tools.crossplane import ROOT

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

claim_names = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
database_names = st.from_regex(r"[a-z]([a-z0-9_-]{0,38}[a-z0-9])?", fullmatch=True)


@given(claim_names, st.lists(database_names, min_size=2, max_size=2).map(".".join))
def test_a_joined_name_is_valid_however_long_its_parts(claim_name: str, part: str) -> None:
    name = names.join(claim_name, "pg", "extension", part)
    assert len(name) <= names.LIMIT
    assert SUBDOMAIN.fullmatch(name), name


def test_a_cut_behind_a_dot_leaves_a_valid_name() -> None:
    assert SUBDOMAIN.fullmatch(names.join("a" * 20, "pg", "extension", "b" * 19 + ".pg_trgm"))


@given(st.lists(database_names, min_size=1, max_size=3), st.lists(database_names, min_size=1, max_size=3))
def test_unshared_names_are_shared_by_nothing_else(one: list[str], other: list[str]) -> None:
    assume(one != other)
    assert names.unshared(*one) != names.unshared(*other)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (("a", "b-c"), ("a-b", "c"), "namespace and claim must not run into one another"),
        (("", "a", "b"), ("a", "b", ""), "a missing part has its place"),
    ],
)
def test_unshared_names_that_look_alike(one: tuple[str, ...], other: tuple[str, ...], why: str) -> None:
    assert names.unshared(*one) != names.unshared(*other), why


@given(
    claim_names,
    st.lists(database_names, min_size=1, max_size=3, unique=True),
    st.sampled_from(["exoscale", "ovh", "scaleway", "kubernetes"]),
)
def test_every_name_is_valid_and_its_own_for_any_claim(claim_name: str, databases: list[str], provider: str) -> None:
    """Names of the last pass, in which everything is composed; the observed state is the example's, which is another claim's."""
    assume(not any(name.startswith(("pg-", "pg_")) or name.endswith("-reader") for name in databases))
    examples = EXAMPLES / "observed" / "postgresql"
    seen = [
        manifest
        for manifest in documents(examples / f"{provider}-ready.yaml")
        if manifest["metadata"]["annotations"]["crossplane.io/composition-resource-name"]
        in {"server", "administrator", "password", "acl"}
    ]
    claim = load(EXAMPLES / "claims" / "postgresql" / f"{provider}-small.yaml")
    wanted = [{"name": name, "readers": True, "extensions": ["pg_trgm", "uuid-ossp"]} for name in databases]
    claim = merged(claim, {"metadata": {"name": claim_name}, "spec": {"databases": wanted}})
    for manifest in seen:
        manifest["spec"].get("writeConnectionSecretToRef", {}).update(name="written")
    secret = documents(examples / f"{provider}-ready.required.yaml")[0]
    secret["metadata"]["name"] = "written"
    step = load(ROOT / "compositions" / "postgresql" / f"{provider}.yaml")["spec"]["pipeline"][0]["input"]
    message = request(with_defaults(claim), step, settings=load(EXAMPLES / "settings.yaml"), observed=seen, secrets=[secret])
    named = (
        {**secret, "metadata": {"name": f"{claim_name}-pg-admin"}},
        {**secret, "metadata": {"name": f"{claim_name}-pg-superuser"}},
    )
    for name, entry in run(message, "postgresql", named).desired.resources.items():
        message.observed.resources[name].CopyFrom(entry)
        if name.startswith(("owner.", "reader.")):
            for detail in ("endpoint", "port", "username", "password"):
                message.observed.resources[name].connection_details[detail] = b"1"
    response = run(message, "postgresql")
    assert not fatal(response)
    assert sum(name.startswith(("binding.", "reader-binding.")) for name in response.desired.resources) == 2 * len(databases)
    bodies = [plain(entry) for entry in response.desired.resources.values()]
    objects = [(body["kind"], body["metadata"]["name"]) for body in bodies]
    assert len(set(objects)) == len(objects)
    assert all(len(name) <= names.LIMIT and SUBDOMAIN.fullmatch(name) for _, name in objects)
    secrets = [
        body["spec"]["writeConnectionSecretToRef"]["name"]
        for body in bodies
        if "writeConnectionSecretToRef" in body.get("spec", {})
    ]
    composed = [name for kind, name in objects if kind == "Secret"]
    assert len(set(secrets + composed)) == len(secrets + composed), "no two writers share a Secret"


part_names = st.from_regex(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?", fullmatch=True)


@given(
    claim_names,
    st.lists(part_names, min_size=1, max_size=3, unique=True),
    st.sampled_from(["exoscale", "ovh", "scaleway"]),
)
def test_every_name_of_a_machine_is_valid_and_its_own_for_any_claim(claim_name: str, disks: list[str], provider: str) -> None:
    claim = load(EXAMPLES / "claims" / "vm" / f"{provider}-small.yaml")
    ports = ["1-65535", "1", "65535"]
    change = {
        "public": True,
        "recreate": 2**31,
        "dataDisks": [{"name": name, "sizeGB": 10} for name in disks],
        "ingress": [{"protocol": "tcp", "ports": port, "from": ["255.255.255.0/24", "10.0.0.0/8"]} for port in ports],
    }
    claim = merged(claim, {"metadata": {"name": claim_name, "generation": 2**31}, "spec": change})
    step = load(ROOT / "compositions" / "vm" / f"{provider}.yaml")["spec"]["pipeline"][0]["input"]
    message = request(with_defaults(claim), step, settings=load(EXAMPLES / "settings.yaml"))
    for name, entry in run(message, "vm").desired.resources.items():
        message.observed.resources[name].CopyFrom(entry)
        if name.startswith("server"):
            edit(message.observed.resources[name].resource, {"status": {"atProvider": {"id": "1", "status": "ACTIVE"}}})
    response = run(message, "vm")
    assert not fatal(response)
    assert sum(name.startswith("disk.") for name in response.desired.resources) == len(disks)
    bodies = [plain(entry) for entry in response.desired.resources.values()]
    objects = [(body["apiVersion"], body["kind"], body["metadata"]["name"]) for body in bodies]
    assert len(set(objects)) == len(objects)
    assert all(len(name) <= names.LIMIT and SUBDOMAIN.fullmatch(name) for *_, name in objects)


@given(claim_names, st.lists(part_names, min_size=1, max_size=3, unique=True), st.sampled_from(["exoscale", "kubernetes"]))
def test_every_name_of_an_app_is_valid_and_its_own_for_any_claim(claim_name: str, parts: list[str], provider: str) -> None:
    claim = load(EXAMPLES / "claims" / "app" / f"{provider}-full.yaml")
    change = {
        "replicas": None,
        "databases": [{"name": name, "size": "small"} for name in parts],
        "volumes": [{"name": name, "sizeGB": 1, "mountPath": f"/{name}"} for name in parts],
    }
    claim = with_defaults(merged(claim, {"metadata": {"name": claim_name}, "spec": change}))
    step = load(ROOT / "compositions" / "app" / f"{provider}.yaml")["spec"]["pipeline"][0]["input"]
    message = request(claim, step, settings=load(EXAMPLES / "settings.yaml"))
    for _ in range(2):
        response = run(message, "app")
        assert not fatal(response)
        message = request(claim, step, settings=load(EXAMPLES / "settings.yaml"))
        for name, entry in response.desired.resources.items():
            message.observed.resources[name].CopyFrom(entry)
            if name.startswith("database."):
                edit(message.observed.resources[name].resource, {"status": {"binding": {"name": f"{name[9:]}-binding"}}})
    bodies = [plain(entry) for entry in response.desired.resources.values()]
    bodies += [body["spec"]["forProvider"]["manifest"] for body in bodies if body["kind"] == "Object"]
    objects = [(body["apiVersion"], body["kind"], body["metadata"]["name"]) for body in bodies]
    assert len(set(objects)) == len(objects)
    assert sum(kind == "PersistentVolumeClaim" for _, kind, _ in objects) == len(parts)
    assert all(len(name) <= names.LIMIT and SUBDOMAIN.fullmatch(name) for *_, name in objects)
    claims = [name for _, kind, name in objects if kind == "PostgreSQL"]
    assert len(claims) == len(parts)
    assert all(len(name) <= names.CLAIM_LIMIT for name in claims)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a" * 41, "longer than 40"),
        ("Orders", "upper case"),
        ("1orders", "a Service cannot begin with a digit"),
        ("orders.v2", "a dot is no part of a label"),
        ("orders-", "ends in a hyphen"),
        ("", "empty"),
    ],
)
def test_claim_names_that_cannot_be(name: str, why: str) -> None:
    with pytest.raises(Refusal, match=r"metadata\.name is"):
        names.check_claim_name(name)
    assert why
