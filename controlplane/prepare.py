"""Make the control database and its two roles on a new server: `python -m controlplane.prepare`, before `migrate`.

For installations that bring their own PostgreSQL along, as docker-compose.yml does. It may be repeated: passwords that
were changed in the secrets are changed in the server.
"""

from urllib.parse import unquote

from pydantic import PostgresDsn, SecretStr
from pydantic_settings import BaseSettings

from controlplane.configuration import Configuration
from controlplane.embedded.control_database import SignIn, ensure_control_database, superuser_at
from controlplane.embedded.postgres import SUPERUSER


class Preparation(BaseSettings):
    """What is needed: both addresses of the control database, and the password of the server's superuser.

    Read as the configuration is, from the environment or from files. Raises pydantic.ValidationError.
    """

    model_config = Configuration.model_config

    database_url: PostgresDsn
    database_owner_url: PostgresDsn
    postgres_password: SecretStr


def prepare(given: Preparation) -> None:
    """Make the roles and the database, or change them to what is given. Raises psycopg.Error."""
    server = given.database_owner_url.hosts()[0]
    superuser = SignIn(SUPERUSER, given.postgres_password.get_secret_value())
    ensure_control_database(
        superuser_at(server["host"] or "localhost", server["port"] or 5432, superuser),
        unquote((given.database_owner_url.path or "/").removeprefix("/")),
        owner=sign_in(given.database_owner_url),
        application=sign_in(given.database_url),
    )


def sign_in(url: PostgresDsn) -> SignIn:
    """Return the role and the password of an address."""
    host = url.hosts()[0]
    return SignIn(unquote(host["username"] or ""), unquote(host["password"] or ""))


if __name__ == "__main__":
    prepare(Preparation())  # type: ignore[call-arg]  # the fields come from the environment
