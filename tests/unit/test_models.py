"""What is wrong with a claim is said in the words of those who write YAML: the field, what was given, what is allowed."""

from typing import Any

import pytest

from functions.app.claim import Claim as App
from functions.app.settings import Settings
from functions.kit import models
from functions.kit.models import Model
from functions.kit.refusal import INVALID_CLAIM, Refusal
from functions.postgresql.claim import Claim as PostgreSQL
from functions.vm.claim import Claim as Machine

APP = {"image": "registry.example.org/shop:1", "size": "small"}
POSTGRESQL = {"size": "small", "version": "17"}
VM = {"size": "small", "image": "debian-12"}


@pytest.mark.parametrize(
    ("model", "spec", "told", "why"),
    [
        (PostgreSQL, POSTGRESQL | {"version": 17}, "spec.version is 17: it must be text, in quotes", "a number for text"),
        (App, APP | {"port": "80"}, 'spec.port is "80": it must be at least 1024', "a number as text"),
        (App, APP | {"port": "http"}, 'spec.port is "http": it must be a whole number', "text for a number"),
        (App, APP | {"port": 70000}, "spec.port is 70000: it must be at most 65535", "too much"),
        (App, APP | {"deletionProtection": "maybe"}, 'spec.deletionProtection is "maybe": it must be true or false', "neither"),
        (PostgreSQL, POSTGRESQL | {"settings": 3}, "spec.settings is 3: it must be an object", "a number for a mapping"),
        (App, APP | {"port": 1e300}, "it must be a whole number", "a number that is none"),
        (App, APP | {"replicas": 3}, "spec.replicas is 3: it must be an object", "a number for an object"),
        (App, APP | {"env": {"A": "b"}}, "spec.env: it must be a list", "an object for a list"),
        (App, APP | {"migrate": {"command": []}}, "spec.migrate.command: it must have at least one entry", "an empty list"),
        (App, APP | {"replica": 3}, "spec.replica is not a known field; known are args, command", "an unknown field"),
        (
            App,
            APP | {"expose": {"tailscale": {"hostname": "shop", "funnel": True}}},
            "spec.expose.tailscale.funnel is not a known field; known are hostname, tags;",
            "an unknown field further down",
        ),
        (
            App,
            APP | {"databases": [{"name": "a", "ref": "b", "namespace": "c"}]},
            "spec.databases[0].namespace is not a known field; known are database, env, name, provider, ref, size;",
            "an unknown field of an entry",
        ),
        (
            Settings,
            {"sizes": {"small": {"cpu": "1", "memory": "1Gi", "disk": 2}}, "tailscaleNamespace": "a", "metricsNamespaces": ["b"]},
            "spec.sizes.small.disk is not a known field; known are cpu, memory;",
            "an unknown field of one of a mapping",
        ),
        (
            Machine,
            VM | {"ingress": [{"protocol": "gre", "from": ["10.0.0.0/8"]}]},
            "it must be 'tcp', 'udp' or 'icmp'",
            "a choice",
        ),
        (
            Machine,
            VM | {"ingress": [{"protocol": "tcp", "from": []}]},
            "spec.ingress[0].from: it must have at least one",
            "nobody",
        ),
        (
            App,
            APP | {"health": {"readiness": "readyz"}},
            "it must be a path of at most 200 characters that begins with /",
            "a pattern",
        ),
        (App, {"image": "shop:1 ", "size": "small"}, 'spec.image is "shop:1 "', "a space that is not meant"),
        (App, APP | {"databases": [{"name": "a"}]}, "a has neither ref nor size", "no database"),
        (App, APP | {"databases": [{"name": "a", "ref": "b", "size": "small"}]}, "a has both ref and size", "two databases"),
    ],
)
def test_sentence(model: type[Model], spec: dict[str, Any], told: str, why: str) -> None:
    with pytest.raises(Refusal) as refusal:
        models.read(model, spec, path="spec", reason=INVALID_CLAIM, remedy="correct the claim")
    assert told in refusal.value.sentence, why
    assert refusal.value.sentence.endswith("; correct the claim")
