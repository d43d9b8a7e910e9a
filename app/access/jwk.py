"""JSON Web Keys (RFC 7517) of an issuer: which of them can verify a token's signature."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import InvalidVersion, load_der_x509_certificate
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey

_LEAST_RSA_BITS = 2048
_MOST_KEYS = 100
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_EDWARDS = {"EdDSA", "Ed25519", "Ed448"}
_READERS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "RSA": RSAAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
}
_MATERIAL = {"RSA": "n", "EC": "x", "OKP": "x"}

_NOT_GOOD = (
    jwt.PyJWTError,
    ArithmeticError,
    AttributeError,
    InvalidVersion,
    LookupError,
    RecursionError,
    TypeError,
    UnsupportedAlgorithm,
    ValueError,
)
"""What parsing a key may raise: whoever wrote it may have written anything."""


@dataclass(frozen=True, slots=True)
class Key:
    """One that verifies signatures."""

    kid: str | None
    algorithm: str | None
    """The only one that it is for, if its issuer says so."""
    public: PublicKey
    text: str
    """Its JSON, to tell whether it is still the same."""

    def fits(self, algorithm: str) -> bool:
        """Whether signatures of this algorithm can be of this key."""
        if self.algorithm not in {None, algorithm} and not {self.algorithm, algorithm} <= _EDWARDS:
            return False
        match self.public:
            case RSAPublicKey():
                return algorithm[:2] in {"RS", "PS"}
            case EllipticCurvePublicKey():
                return self.public.curve.name == _CURVES.get(algorithm)
            case _:
                return algorithm in _EDWARDS


def usable(entries: Iterable[object]) -> list[Key]:
    """Those of a set that verify signatures. Others are skipped, as RFC 7517 (5) says, and so is what is no key."""
    keys: list[Key] = []
    for entry in entries:
        if len(keys) >= _MOST_KEYS:
            break
        if isinstance(entry, dict) and _verifies(entry):
            try:
                public = _public(entry)
            except _NOT_GOOD:
                continue
            if public is not None:
                keys.append(Key(entry.get("kid"), entry.get("alg"), public, json.dumps(entry, sort_keys=True)))
    return keys


def _verifies(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and isinstance(jwk.get("kid"), str | None)
        and isinstance(jwk.get("alg"), str | None)
    )


def _public(jwk: Mapping[str, Any]) -> PublicKey | None:
    """Its public part: from a certificate if there is nothing else. May raise what `_NOT_GOOD` lists."""
    kind = jwk["kty"]
    if _MATERIAL[kind] in jwk:
        # A private part, which nobody should publish, is not needed.
        public = _READERS[kind]({name: value for name, value in jwk.items() if name != "d"})
    else:
        public = load_der_x509_certificate(base64.b64decode(jwk["x5c"][0])).public_key()
    if isinstance(public, RSAPublicKey):
        return public if public.key_size >= _LEAST_RSA_BITS else None
    return public if isinstance(public, PublicKey) else None
