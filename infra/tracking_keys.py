"""The keys that sign customers' links to their orders."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from infra.settings import Settings

LENGTH = 43  # letters and digits: 256 bits


@dataclass(frozen=True, kw_only=True)
class TrackingKeysArgs:
    """Inputs of TrackingKeys."""

    number: int  # of the current key; the previous key is one less
    recovery_days: int  # in which a deleted secret can be restored

    @classmethod
    def of(cls, settings: Settings) -> TrackingKeysArgs:
        """Read the inputs from the settings."""
        return cls(number=settings.tracking_key, recovery_days=7 if settings.deletion_protection else 0)


class TrackingKeys(pulumi.ComponentResource):
    """A secret with the current and the previous key: `{"current": "2", "keys": {"1": "…", "2": "…"}}`.

    A key's logical name has its number: when that is raised, the current key is kept as the previous one.
    """

    secret: aws.secretsmanager.Secret
    version: aws.secretsmanager.SecretVersion

    def __init__(self, name: str, args: TrackingKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:TrackingKeys", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        keys = {
            str(number): random.RandomPassword(
                f"tracking-key-{number}", length=LENGTH, special=False, opts=child
            ).result
            for number in (args.number - 1, args.number)
        }
        self.secret = aws.secretsmanager.Secret(
            "TrackingKeys",
            description="Keys that sign customers' links to their orders",
            recovery_window_in_days=args.recovery_days,
            # Not protected: links expire within hours, so a new secret does little harm.
            opts=pulumi.ResourceOptions(parent=self, protect=False),
        )
        self.version = aws.secretsmanager.SecretVersion(
            "TrackingKeys",
            secret_id=self.secret.id,
            secret_string=pulumi.Output.json_dumps({"current": str(args.number), "keys": keys}),
            opts=child,
        )
        self.register_outputs({})
