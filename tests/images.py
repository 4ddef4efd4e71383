"""Functions started out of their images, with what util-linux has, in place of a container runtime."""

from collections.abc import Sequence
from pathlib import Path


def command(root: Path, entrypoint: Sequence[str], user: int, tls: Path, address: str = "") -> list[str]:
    """Return the command that starts a function as Crossplane would: its user, a read-only root, certificates mounted.

    Args:
        root: The image's file system.
        entrypoint: As the image says.
        user: Its uid and gid.
        tls: The folder that is mounted at /tls/server.
        address: Where it listens, "" for a network of its own and the address that Crossplane expects.
    """
    (root / "tls" / "server").mkdir(parents=True, exist_ok=True)
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev" / "urandom").touch()  # as every container runtime has it
    script = f"""
      set -e
      mount --bind {root} {root}
      mount --bind {tls} {root}/tls/server
      mount --bind /dev/urandom {root}/dev/urandom
      mount -o remount,ro,bind {root}
      exec chroot --userspec={user}:{user} {root} {" ".join(entrypoint)} {f"--address {address}" if address else ""}
    """
    return ["unshare", "--mount", *([] if address else ["--net"]), "sh", "-c", script]


def environment(image: Sequence[str]) -> dict[str, str]:
    """Return what a function finds in its environment: what the image says, and where its certificates are."""
    return dict(variable.split("=", 1) for variable in image) | {"TLS_SERVER_CERTS_DIR": "/tls/server"}
