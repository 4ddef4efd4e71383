"""What every pod of an App has in common: nothing that the Pod Security Standard "restricted" forbids, and less."""

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.struct_pb2 import Struct

from functions.app import database, secrets
from functions.app.database import Binding
from functions.app.order import COMPONENT, Order
from functions.kit.observed import ObservedResource

# Some user that is not root: an image's own may be any; files of volumes and bindings belong to this group.
_GROUP: Final = 65532

_GENERATED: Final = ("batch.kubernetes.io/", "controller-uid", "job-name")

# The only place to write files, beside volumes.
_TMP: Final = "/tmp"  # noqa: S108  # in the container
_LONGEST_LABEL: Final = 63

_CONFINED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def template(
    order: Order, bound: list[Binding], component: str, container: Mapping[str, object], pod: Mapping[str, object]
) -> dict[str, object]:
    """Build a pod template.

    Args:
        order: The order.
        bound: The databases, all complete.
        component: What the pod is of the App.
        container: What its container has besides; `volumeMounts` are added to ours.
        pod: What it has besides; `volumes` are added to ours.
    """
    size, claim, settings = order.size, order.claim, order.settings
    tmp = all(volume.mount_path != _TMP for volume in order.volumes)
    mounts = [{"name": "tmp", "mountPath": _TMP}] if tmp else []
    body: dict[str, object] = {
        "name": order.name,
        "image": claim.image,
        "resources": {"requests": {"cpu": size.cpu, "memory": size.memory}, "limits": {"memory": size.memory}},
        "securityContext": _CONFINED,
        **container,
        "volumeMounts": [*mounts, *database.mounts(bound), *_list(container, "volumeMounts")],
    }
    plain = [{"name": variable.name, "value": variable.value} for variable in claim.env]
    # The claim's own come last, for a value may refer to what stands before it.
    if variables := [*database.env(bound), *secrets.env(order), *plain]:
        body["env"] = variables
    scratch = [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}] if tmp else []
    spec: dict[str, object] = {
        "serviceAccountName": order.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "fsGroup": _GROUP,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [body],
        **pod,
        "volumes": [*scratch, *database.volumes(bound), *_list(pod, "volumes")],
    }
    if settings.node_selector:
        spec["nodeSelector"] = settings.node_selector
    if settings.tolerations:
        spec["tolerations"] = [toleration.model_dump(exclude_none=True) for toleration in settings.tolerations]
    if settings.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in settings.image_pull_secrets]
    return {"metadata": {"labels": labels(order, component)}, "spec": spec}


def image(seen: ObservedResource) -> str:
    """Return the image of the pods of a Deployment or Job, "" where it has none."""
    containers = seen.objects("spec", "template", "spec", "containers")
    return containers[0].text("image") if containers else ""


def as_made(seen: ObservedResource | None) -> Struct | None:
    """Return the pod template of a Deployment or Job as it was made, None where there is none.

    What Kubernetes adds is left out: a Job that is made again would be refused with the labels of the one before it.
    """
    made = seen.inside("spec", "template").struct if seen else None
    if made is None or not made.fields:
        return None
    template = Struct()
    template.CopyFrom(made)
    metadata = template.fields["metadata"].struct_value.fields
    metadata.pop("creationTimestamp", None)
    labels = metadata["labels"].struct_value.fields
    for key in [key for key in labels if key.startswith(_GENERATED)]:
        del labels[key]
    return template


def labels(order: Order, component: str) -> dict[str, str]:
    """Return the labels of a pod, and of what makes pods."""
    return {**order.labels, COMPONENT: component, **version(order)}


def version(order: Order) -> dict[str, str]:
    """Return the image's tag as a label, nothing where it can be none."""
    tag = order.claim.version
    return {"app.kubernetes.io/version": tag} if 0 < len(tag) <= _LONGEST_LABEL and tag[-1].isalnum() and tag[0].isalnum() else {}


def _list(given: Mapping[str, object], key: str) -> Sequence[object]:
    found = given.get(key, ())
    return found if isinstance(found, Sequence) else ()
