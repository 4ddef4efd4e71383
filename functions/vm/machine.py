"""What compose.py and the provider modules tell each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from functions.kit import names
from functions.kit.composition import Resource
from functions.kit.observed import Observed, ObservedResource
from functions.kit.request import Request
from functions.vm.claim import Claim
from functions.vm.firewall import Rule
from functions.vm.settings import PrivateNetwork, ProviderSettings

# Composition resource names. A machine that replaces another is server.GENERATION.
SERVER: Final = "server"
FIREWALL: Final = "firewall"

# On the machine: which of the claim's fields it was made with.
MADE_OF: Final = "platform.gravitek.io/made-of"

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Live:
    """What the cloud already runs for this claim.

    Attributes:
        region: In the cloud's spelling.
        disk_gb: The root disk, None where the cloud decides it.
        guarded: Whether the cloud's own deletion guard is on.
    """

    region: str
    disk_gb: int | None = None
    guarded: bool = False


class OrderedDisk(NamedTuple):
    """A data disk.

    Attributes:
        name: Its name within the claim.
        size_gb: In the cloud's own gigabytes.
        leaving: Whether the claim no longer has it: it stays until its resource may delete it.
    """

    name: str
    size_gb: int
    leaving: bool

    @property
    def key(self) -> str:
        """Its composition resource name."""
        return disk_key(self.name)


@dataclass(frozen=True, slots=True)
class Order(Generic[S]):
    """A claim, settled against the settings and what is live: everything that a provider module needs to know.

    Attributes:
        name: The claim's name.
        namespace: The claim's namespace.
        labels: For every resource.
        claim: The claim.
        settings: The provider's settings.
        region: The one that is live, else the claim's, else the default.
        server: Composition resource name of the machine.
        replaces: The number of the machine: 0 for the first, else the generation in which it was asked for.
        made_of: The claim's fields that the machine is made with, by their paths.
        disk_gb: The root disk, None where the cloud decides.
        disks: The data disks by name.
        rules: What may reach the machine.
        protected: Whether the machine must not be deleted.
        outgoing: Whether another machine replaces this one as soon as it can be made and this one may be deleted.
        disks_protected: Whether the data disks must not be.
        user_data: For a machine that is still to be made, "" while its auth key is not there.
        network: The private network of the region, None where the settings name none.
    """

    name: str
    namespace: str
    labels: Mapping[str, str]
    claim: Claim
    settings: S
    region: str
    server: str
    replaces: int
    made_of: Mapping[str, str]
    disk_gb: int | None
    disks: tuple[OrderedDisk, ...]
    rules: tuple[Rule, ...]
    protected: bool
    outgoing: bool
    disks_protected: bool
    user_data: str
    network: PrivateNetwork | None

    def called(self, *parts: str) -> str:
        """Return the name of an object of this claim."""
        return names.join(self.name, "vm", *parts)

    @property
    def server_name(self) -> str:
        """The name of the machine's object."""
        return self.called(str(self.replaces)) if self.replaces else self.called()


@dataclass(frozen=True, slots=True)
class Machine:
    """What a provider module answers.

    Attributes:
        resources: Everything, the most needed first.
        plan: The cloud's own name for the size.
        public: The public IPv4 address, "" where there is none.
        private: The private one.
        attached: The names of the data disks that are attached.
    """

    resources: Sequence[Resource]
    plan: str
    public: str = ""
    private: str = ""
    attached: frozenset[str] = frozenset()


class Provider(Protocol):
    """A provider module. Its constants are read-only here, or a module's narrower type would not fit.

    Attributes:
        SERVER_KIND: apiVersion and kind of the machine.
        SETTINGS: The model of its settings.
        FIXED: The claim's fields that a live machine cannot change, beside those that act when one is made anywhere.
        SIZES_DISK: Whether a claim may say how big the root disk is.
        HAS_FIREWALL: Whether the cloud keeps others out; else the machine itself does.
        INSTALLS_KEYS: Whether the cloud installs ssh keys; else cloud-init does.
        NEEDS_KEY: Whether the cloud makes no machine without an ssh key.
        USER_DATA_LIMIT: Bytes of user data in base64, 0 where the cloud names no limit.
    """

    @property
    def SERVER_KIND(self) -> tuple[str, str]: ...  # noqa: D102, N802
    @property
    def SETTINGS(self) -> type[ProviderSettings[Any]]: ...  # noqa: D102, N802
    @property
    def FIXED(self) -> tuple[str, ...]: ...  # noqa: D102, N802
    @property
    def SIZES_DISK(self) -> bool: ...  # noqa: D102, N802
    @property
    def HAS_FIREWALL(self) -> bool: ...  # noqa: D102, N802
    @property
    def INSTALLS_KEYS(self) -> bool: ...  # noqa: D102, N802
    @property
    def NEEDS_KEY(self) -> bool: ...  # noqa: D102, N802
    @property
    def USER_DATA_LIMIT(self) -> int: ...  # noqa: D102, N802

    def live(self, server: ObservedResource) -> Live:
        """Read what the observed machine is."""

    def disk_size(self, disk: ObservedResource) -> int:
        """Read how big an observed data disk is."""

    def machine(self, order: Order[Any], observed: Observed, request: Request) -> Machine:
        """Compose the machine with its disks, its firewall and its addresses."""


def disk_key(name: str) -> str:
    """Return a data disk's composition resource name."""
    return f"disk.{name}"
