"""Encryption of what is kept: one key per backup, AES-256-GCM in chunks, and the key itself wrapped by another."""

import base64
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from deployments.errors import DeploymentError
from deployments.postgres.connect import read_secret

CHUNK_BYTES = 2**20
KEY_BYTES = 32
TAG_BYTES = 16
MAGIC = b"LKTSEAL1"
ALGORITHM = "AES-256-GCM, 1 MiB chunks; key wrapped by RFC 3394"
_NUMBER = struct.Struct(">QB")  # of the chunk, and whether it is the last
_NONCE = struct.Struct(">3xQB")  # 12 bytes: unique per chunk, and the key is that of one file


class BackupKeyUnusable(DeploymentError):
    """The key that wraps the keys of backups is none."""

    code = "backup-key-unusable"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"What {reference} holds is no key: 32 random bytes in base64 are wanted. No backup was written or read, "
            "and no target was changed. Put a key there, made by: openssl rand -base64 32"
        )


class BackupKeyMissing(DeploymentError):
    """A backup is encrypted, or should be, and there is no key."""

    code = "backup-key-missing"

    def __init__(self, *, what: str, key_id: str) -> None:
        super().__init__(
            f"{what} is encrypted with the key {key_id}, and this worker has no key. It was not read, and no target "
            "was changed. Name the key in BACKUP_KEY, or in BACKUP_OLD_KEYS, on every worker."
        )


class BackupKeyWrong(DeploymentError):
    """A backup was encrypted with another key than those here."""

    code = "backup-key-wrong"

    def __init__(self, *, what: str, key_id: str, found: Iterable[str]) -> None:
        super().__init__(
            f"{what} is encrypted with the key {key_id}, and this worker has {', '.join(found)}. It was not read, and "
            "no target was changed. Name the right key in BACKUP_OLD_KEYS on every worker."
        )


class SealBroken(ValueError):
    """What was sealed is not as it was: a chunk is changed, missing, added or in another place."""


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """A key that wraps the keys of backups. Its id says which one it is, and nothing about it."""

    id: str
    value: bytes

    def __repr__(self) -> str:
        """Never with the key."""
        return f"WrappingKey({self.id})"

    @classmethod
    def behind(cls, reference: str) -> "WrappingKey":
        """Return the key that a reference leads to, "env:NAME" or "file:/path".

        Raises SecretMissing, SecretUnusable, BackupKeyUnusable.
        """
        try:
            value = base64.b64decode(read_secret(reference), validate=True)
        except ValueError:  # also of letters that base64 does not have
            value = b""
        if len(value) != KEY_BYTES:
            raise BackupKeyUnusable(reference=reference)
        digest = Hash(SHA256())
        digest.update(b"locktender key id" + value)
        return cls(digest.finalize().hex()[:16], value)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of this worker, by reference: the first one wraps what is new, all of them open what is there.

    They are read when they are needed. There may be none.
    """

    references: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[WrappingKey, ...]:
        """The keys behind the references. Raises SecretMissing, SecretUnusable, BackupKeyUnusable."""
        return tuple(WrappingKey.behind(reference) for reference in self.references)

    def new_seal(self) -> "Seal | None":
        """Return the seal of a new backup, None where there is no key. Raises what reading it raises."""
        if not self.references:
            return None
        wrapping, key = WrappingKey.behind(self.references[0]), os.urandom(KEY_BYTES)
        wrapped = base64.b64encode(aes_key_wrap(wrapping.value, key)).decode()
        return Seal(key, {"algorithm": ALGORITHM, "key_id": wrapping.id, "wrapped_key": wrapped})

    def seal_of(self, told: Mapping[str, Any] | None, *, what: str) -> "Seal | None":
        """Return the seal that a manifest tells of, None if it tells of none.

        Raises BackupKeyMissing, BackupKeyWrong, and what reading the keys raises.
        """
        if told is None:
            return None
        key_id, known = str(told["key_id"]), self.known
        if not known:
            raise BackupKeyMissing(what=what, key_id=key_id)
        for key in known:
            if key.id == key_id:
                with suppress(InvalidUnwrap, ValueError):  # the manifest was changed
                    return Seal(aes_key_unwrap(key.value, base64.b64decode(told["wrapped_key"])), told)
        raise BackupKeyWrong(what=what, key_id=key_id, found=[key.id for key in known])


NO_KEYS = Keys()


@dataclass(frozen=True, slots=True)
class Seal:
    """The key of one backup, and what its manifest tells about it."""

    key: bytes
    told: Mapping[str, Any]

    def __repr__(self) -> str:
        """Never with the key."""
        return f"Seal({self.told['key_id']})"

    def sealed(self, name: str, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Give the encrypted content of a file. Its name is bound in: no other file can take its place."""
        cipher, number, waiting = self._cipher(name), 0, bytearray()
        yield MAGIC
        for part in parts:
            waiting += part
            while len(waiting) > CHUNK_BYTES:  # what is left over may be the last chunk
                yield cipher.encrypt(_NONCE.pack(number, 0), bytes(waiting[:CHUNK_BYTES]), _NUMBER.pack(number, 0))
                del waiting[:CHUNK_BYTES]
                number += 1
        yield cipher.encrypt(_NONCE.pack(number, 1), bytes(waiting), _NUMBER.pack(number, 1))

    def opened(self, name: str, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Give the content of an encrypted file, every chunk authenticated before it is given. Raises SealBroken."""
        cipher, number, waiting, begun = self._cipher(name), 0, bytearray(), False
        for part in parts:
            waiting += part
            if not begun and len(waiting) >= len(MAGIC):
                if not waiting.startswith(MAGIC):
                    raise SealBroken("it does not begin as an encrypted file does")
                del waiting[: len(MAGIC)]
                begun = True
            while begun and len(waiting) > CHUNK_BYTES + TAG_BYTES:
                yield _open(cipher, number, bytes(waiting[: CHUNK_BYTES + TAG_BYTES]), last=0)
                del waiting[: CHUNK_BYTES + TAG_BYTES]
                number += 1
        if not begun:
            raise SealBroken("it does not begin as an encrypted file does")
        yield _open(cipher, number, bytes(waiting), last=1)

    def _cipher(self, name: str) -> AESGCM:
        derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"locktender file " + name.encode())
        return AESGCM(derived.derive(self.key))


def _open(cipher: AESGCM, number: int, chunk: bytes, *, last: int) -> bytes:
    try:
        return cipher.decrypt(_NONCE.pack(number, last), chunk, _NUMBER.pack(number, last))
    except (InvalidTag, ValueError) as broken:
        raise SealBroken(f"chunk {number} is not as it was written") from broken
