"""From a request to a response: decode, compose, encode; and a sentence where that cannot be."""

import logging
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Final

from crossplane.function.proto.v1 import run_function_pb2 as fnv1

from functions.kit import conditions, refusal, secrets, structs
from functions.kit.composition import Composition
from functions.kit.conditions import Condition
from functions.kit.observed import ObservedResource
from functions.kit.refusal import Refusal
from functions.kit.request import Request

# Without a TTL Crossplane would not notice an edited EnvironmentConfig.
TTL_SECONDS: Final = 60

# Keys whose values are secret; a Secret's host or database is not, and blotting it out would spoil the sentence.
_SECRET_KEY: Final = re.compile("pass|secret|token|key|auth|ur[il]$", re.IGNORECASE)
_SHORTEST_SECRET: Final = 6
_LONGEST_MESSAGE: Final = 1000

log = logging.getLogger(__name__)


def answer(request: fnv1.RunFunctionRequest, kind: str, compose: Callable[[Request], Composition]) -> fnv1.RunFunctionResponse:
    """Answer one request. Never raises.

    Args:
        request: As Crossplane sent it.
        kind: The function's kind of claim in lower case.
        compose: The function's own work.

    Returns:
        The desired state; or, for a refusal or a defect of ours, a Fatal result, upon which Crossplane changes nothing.
    """
    try:
        return _composed(request, compose(Request(request, kind)))
    except Refusal as error:
        return _refused(request, error.reason, error.sentence)
    except Exception as error:  # noqa: BLE001  # whatever it is, the user gets a sentence and nothing is removed
        # Only places, no values: an exception's own text may quote a secret.
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
        log.error("internal error", extra={"tag": request.meta.tag, "error": type(error).__name__, "traceback": places})  # noqa: TRY400  # as said
        sentence = (
            f"internal error of function-{kind} ({type(error).__name__}, request {request.meta.tag[:16]}); nothing was changed; "
            "please report it with the function's log line of that request"
        )
        return _refused(request, refusal.INTERNAL_ERROR, sentence)


def _response(request: fnv1.RunFunctionRequest) -> fnv1.RunFunctionResponse:
    """Begin a response with what earlier steps of the pipeline want and say."""
    response = fnv1.RunFunctionResponse()
    response.meta.tag = request.meta.tag
    response.meta.ttl.seconds = TTL_SECONDS
    response.desired.CopyFrom(request.desired)
    if request.HasField("context"):
        response.context.CopyFrom(request.context)
    return response


def _refused(request: fnv1.RunFunctionRequest, reason: str, sentence: str) -> fnv1.RunFunctionResponse:
    response = _response(request)
    sentence = _without_secrets(sentence, request)
    response.results.add(severity=fnv1.SEVERITY_FATAL, message=sentence, reason=reason, target=fnv1.TARGET_COMPOSITE)
    _add_condition(response, Condition(conditions.ACCEPTED, status=False, reason=reason), sentence)
    return response


def _composed(request: fnv1.RunFunctionRequest, composition: Composition) -> fnv1.RunFunctionResponse:
    response = _response(request)
    desired = response.desired.resources
    for resource in composition.resources:
        entry = desired[resource.name]
        structs.write(entry.resource, resource.body)
        entry.ready = fnv1.READY_TRUE if resource.ready else fnv1.READY_FALSE
    structs.write(response.desired.composite.resource, {"status": composition.status})
    response.desired.composite.ready = fnv1.READY_TRUE if composition.ready else fnv1.READY_FALSE
    for want in composition.requirements:
        selector = response.requirements.resources[want.name]
        selector.api_version, selector.kind, selector.match_name = want.api_version, want.kind, want.object_name
        selector.namespace = want.namespace
    for condition in composition.conditions:
        _add_condition(response, condition, _without_secrets(condition.message, request) if condition.message else "")
    for warning in composition.warnings:
        response.results.add(severity=fnv1.SEVERITY_WARNING, message=warning, target=fnv1.TARGET_COMPOSITE)
    return response


def _add_condition(response: fnv1.RunFunctionResponse, condition: Condition, message: str) -> None:
    response.conditions.add(
        type=condition.type,
        status=fnv1.STATUS_CONDITION_TRUE if condition.status else fnv1.STATUS_CONDITION_FALSE,
        reason=condition.reason,
        message=message or None,
        target=fnv1.TARGET_COMPOSITE,
    )


def _without_secrets(message: str, request: fnv1.RunFunctionRequest) -> str:
    """Blot out every secret we were handed: a message may repeat what a cloud said, and clouds repeat passwords.

    Only then is it put into one line and cut, or a part of a secret could be left at the end.
    """
    for secret in _secrets(request):
        if len(secret) >= _SHORTEST_SECRET:
            message = message.replace(secret, "***")
    return " ".join(message.split())[:_LONGEST_MESSAGE]


def _secrets(request: fnv1.RunFunctionRequest) -> Iterator[str]:
    for resource in request.observed.resources.values():
        for key, detail in resource.connection_details.items():
            if _SECRET_KEY.search(key):
                yield detail.decode(errors="ignore")
    given = [item for found in request.required_resources.values() for item in found.items]
    for resource in [*request.observed.resources.values(), *given]:
        view = ObservedResource(resource.resource)
        if view.kind == ("v1", "Secret") and isinstance(data := view.at("data"), dict):
            for key in filter(_SECRET_KEY.search, data):
                yield secrets.value(view, key)
