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

    number: int  # the current key's; the one before it is the previous key
    recovery_days: int  # for which a deleted secret is kept

    @classmethod
    def of(cls, settings: Settings) -> TrackingKeysArgs:
        """Take them from the stack's settings."""
        return cls(number=settings.tracking_key, recovery_days=7 if settings.deletion_protection else 0)


class TrackingKeys(pulumi.ComponentResource):
    """A secret with the current and the previous key: `{"current": "2", "keys": {"1": "…", "2": "…"}}`.

    Keys are named by their numbers, so that the next number keeps the last key and drops the one before it.
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
            # The next deploy can make it again: customers' links are good for hours only.
            opts=pulumi.ResourceOptions(parent=self, protect=False),
        )
        self.version = aws.secretsmanager.SecretVersion(
            "TrackingKeys",
            secret_id=self.secret.id,
            secret_string=pulumi.Output.json_dumps({"current": str(args.number), "keys": keys}),
            opts=child,
        )
        self.register_outputs({})
