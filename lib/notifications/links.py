"""Makes the link of a message into the sandbox console. Pure.

A path that names a lease may contain ``{uuid}``, ``{userEmail}`` and ``{leaseId}``, the id by which Innovation Sandbox on AWS
addresses a lease: both parts of the key as JSON in base64url
(https://github.com/aws-solutions/innovation-sandbox-on-aws, ``base64EncodeCompositeKey``).
"""

import base64
import json
import re
from dataclasses import dataclass
from urllib.parse import quote

from lib.leases.events import LeaseKey, MissingKey

PLACEHOLDERS = ("leaseId", "uuid", "userEmail")

_HTTP_URL = re.compile(r"https?://[^\s<>|\"]{1,500}")


@dataclass(frozen=True, slots=True)
class Link:
    """A URL and its link text; both are empty if there is no link."""

    url: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Console:
    """The sandbox console.

    Attributes:
        url: its address; ignored unless it is an http or https URL.
        lease_path: where it shows a lease; empty if it has no such page.
    """

    url: str = ""
    lease_path: str = ""

    def link(self, key: LeaseKey | MissingKey) -> Link:
        """The link to the lease, or to the console if the lease is unknown."""
        if not _HTTP_URL.fullmatch(self.url):
            return Link()
        if self.lease_path and isinstance(key, LeaseKey):
            url = self.url.rstrip("/") + _filled(self.lease_path, key)
            if _HTTP_URL.fullmatch(url):
                return Link(url, "Open the lease in the sandbox console")
        return Link(self.url, "Open the sandbox console")


def _filled(path: str, key: LeaseKey) -> str:
    both = json.dumps({"userEmail": key.user_email, "uuid": key.uuid}, ensure_ascii=False, separators=(",", ":"))
    lease_id = base64.urlsafe_b64encode(both.encode(errors="replace")).decode().rstrip("=")
    parts = {"leaseId": lease_id, "uuid": key.uuid, "userEmail": key.user_email}
    for name in PLACEHOLDERS:
        path = path.replace("{" + name + "}", quote(parts[name], safe="", errors="replace"))
    return path
