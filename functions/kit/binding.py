"""Binding Secrets, as the Service Binding specification names their keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args
from urllib.parse import quote

from functions.kit.secrets import secret

POSTGRESQL: Final = "servicebinding.io/postgresql"

Key = Literal["type", "provider", "host", "port", "database", "username", "password", "sslmode", "uri", "ca.crt"]
# Not every provider tells its certificate authority.
NEEDED: Final = tuple(key for key in get_args(Key) if key != "ca.crt")


@dataclass(frozen=True, slots=True)
class PostgreSQLBinding:
    """What an application needs to use one database.

    Attributes:
        provider: Who serves it.
        host: A name or an address.
        port: As text.
        database: Its name.
        username: A role that may log in.
        password: The role's.
        sslmode: libpq's.
        ca: The certificate authority in PEM, "" where the provider does not tell it.
    """

    provider: str
    host: str
    port: str
    database: str
    username: str
    password: str
    sslmode: str
    ca: str = ""

    def secret(self, name: str, labels: Mapping[str, str]) -> dict[str, object]:
        """Build the Secret."""
        user, password, database = (quote(part, safe="") for part in (self.username, self.password, self.database))
        data = {
            "type": "postgresql",
            "provider": self.provider,
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "username": self.username,
            "password": self.password,
            "sslmode": self.sslmode,
            "uri": f"postgresql://{user}:{password}@{self.host}:{self.port}/{database}?sslmode={self.sslmode}",
        }
        if self.ca:
            data["ca.crt"] = self.ca
        return secret(name, labels, data, POSTGRESQL)
