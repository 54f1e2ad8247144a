"""The errors of this room, hung into the tree of ``rules.errors``."""

from __future__ import annotations

from rules.errors import (
    AccessDeniedError,
    IntegrityError,
    LockedError,
    NotFoundError,
    SafetyNetError,
    UnsafeError,
)


class CredentialsError(AccessDeniedError):
    """No AWS credentials, or expired ones."""

    default_hint = "Log in (`aws sso login`), set AWS_PROFILE, or pass --profile."


class VaultNotFoundError(NotFoundError):
    """The vault's bucket does not exist."""

    default_hint = "Set `vault: s3://BUCKET/PREFIX` in safetynet.yaml or SAFETYNET_VAULT."


class ObjectNotFoundError(NotFoundError):
    """An object of the vault does not exist."""


class UploadGoneError(NotFoundError):
    """A multipart upload was completed or aborted before."""

    default_hint = "Run the command again; it goes on without that upload."


class TableNotFoundError(NotFoundError):
    """A table does not exist in this account and region."""


class BackupNotFoundError(NotFoundError):
    """No whole backup of what was asked for is in the vault."""

    default_hint = "See what there is with `safetynet backup list`."


class ConflictError(LockedError):
    """Another writer was faster: a conditional write was refused."""

    default_hint = "Run the command again."


class LeaseHeldError(LockedError):
    """Somebody else is at it right now."""

    default_hint = "Wait for them, or for the lease to expire."


class DamagedObjectError(IntegrityError):
    """An object of the vault is missing, cut, changed or forged; ``key`` names it."""

    default_hint = "Nothing was written. Choose another backup: `safetynet backup list`."

    def __init__(self, key: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{key}: {message}", hint=hint)
        self.key = key


class RestoreMismatchError(IntegrityError):
    """The table that was loaded does not hold what the backup holds."""

    default_hint = "The table is there but must not be trusted. Run the command again to load it once more."


class TableExistsError(UnsafeError):
    """The target table is there already; nothing is overwritten."""

    default_hint = "It may be recovered already: `safetynet incidents list`. A copy beside it: --as NEW_NAME."


class ExportError(SafetyNetError):
    """DynamoDB refused an export, failed at it, or did not write all of it."""

    default_hint = "Read the table instead: --engine scan."


class AwsError(SafetyNetError):
    """AWS answered with an error that has no class of its own here; ``code`` is AWS's error code."""

    def __init__(self, message: str, *, code: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
