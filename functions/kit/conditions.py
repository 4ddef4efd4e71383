"""Conditions of a claim, beside Crossplane's own Synced and Ready. Documented in docs/status.md."""

from typing import Final, NamedTuple

ACCEPTED: Final = "Accepted"
PROVISIONED: Final = "Provisioned"
BOUND: Final = "Bound"

VALID: Final = "Valid"
AVAILABLE: Final = "Available"
CREATING: Final = "Creating"
COMPLETE: Final = "Complete"
WAITING: Final = "Waiting"
FAILING: Final = "Failing"
REPLACING: Final = "Replacing"
MIGRATING: Final = "Migrating"
ROLLING_OUT: Final = "RollingOut"


class Condition(NamedTuple):
    """One condition of the claim's status.

    Attributes:
        type: A type of this module.
        status: True or False; this suite never answers Unknown.
        reason: CamelCase, one of this module's or of `refusal`'s.
        message: For people; empty where the reason says all.
    """

    type: str
    status: bool
    reason: str
    message: str = ""
