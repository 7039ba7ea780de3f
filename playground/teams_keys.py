"""The keys behind what Microsoft sends: OpenID metadata, the key set, and tokens signed with them."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from playground.teams_wire import Wire

ISSUER: Final = "https://api.botframework.com"
ENDORSEMENTS: Final = ("msteams", "webchat", "directline")
LIFETIME_S: Final = 3600
FORGED: Final = "forged"
"""Name of a key that Microsoft never had."""


class Keys:
    """The key set of the Bot Connector; signs with the newest key."""

    def __init__(self, audience: str, wall: Callable[[], float]) -> None:
        self._audience = audience
        self._wall = wall
        self._published: dict[str, Sequence[str]] = {"key-1": ENDORSEMENTS}
        self._number = 1

    @property
    def current(self) -> str:
        """The `kid` of the newest key."""
        return f"key-{self._number}"

    def rotate(self, *, keep_old: bool = False, endorsements: Sequence[str] = ENDORSEMENTS) -> None:
        """Sign with a new key from now on; the old one leaves the key set, or stays in it for a while."""
        self._number += 1
        if not keep_old:
            self._published.clear()
        self._published[self.current] = endorsements

    def metadata(self, base_url: str) -> Wire:
        """The OpenID document."""
        return {
            "issuer": ISSUER,
            "authorization_endpoint": "https://invalid.botframework.com",
            "jwks_uri": f"{base_url}/v1/.well-known/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        }

    def jwks(self) -> Wire:
        """The key set, with the channels that each key may vouch for."""
        return {"keys": [self._jwk(kid, list(channels)) for kid, channels in self._published.items()]}

    def mint(
        self,
        service_url: str,
        *,
        kid: str | None = None,
        signed_by: str | None = None,
        algorithm: str = "RS256",
        lifetime_s: float = LIFETIME_S,
        **claims: Any,
    ) -> str:
        """A token as it accompanies an activity.

        Args:
            service_url: Claim `serviceurl`.
            kid: What the header says; the newest key's by default.
            signed_by: The key that really signs, such as `FORGED`; the one that `kid` names by default.
            algorithm: `none` leaves the signature out; `HS256` misuses the public key as a secret.
            lifetime_s: From now; a negative one has passed already.
            claims: More claims or others; None takes one away.
        """
        now = int(self._wall())
        told = {
            "iss": ISSUER,
            "aud": self._audience,
            "iat": now,
            "nbf": now - 10 + min(0, int(lifetime_s)),
            "exp": now + int(lifetime_s),
            "serviceurl": service_url,
        } | claims
        payload = {name: value for name, value in told.items() if value is not None}
        kid = kid or self.current
        key = _private_key(signed_by or kid)
        if algorithm == "HS256":
            return _misused(payload, kid, key)
        signer = "" if algorithm == "none" else key
        return jwt.encode(payload, signer, algorithm=algorithm, headers={"kid": kid})

    def _jwk(self, kid: str, endorsements: list[str]) -> Wire:
        jwk: Wire = json.loads(RSAAlgorithm.to_jwk(_private_key(kid).public_key()))
        return jwk | {"kid": kid, "use": "sig", "endorsements": endorsements}


def _misused(payload: Wire, kid: str, key: RSAPrivateKey) -> str:
    """A token whose secret is the public key; the library itself refuses to write one."""
    secret = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = {"alg": "HS256", "kid": kid, "typ": "JWT"}
    told = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, payload))
    signature = urlsafe_b64encode(hmac.digest(secret, told, "sha256")).rstrip(b"=")
    return b".".join((told, signature)).decode()


_MADE: Final[dict[str, RSAPrivateKey]] = {}
"""Keys by name, for the whole process: making one is slow, and nothing here is a secret."""


def _private_key(name: str) -> RSAPrivateKey:
    if name not in _MADE:
        _MADE[name] = generate_private_key(public_exponent=65537, key_size=2048)
    return _MADE[name]
