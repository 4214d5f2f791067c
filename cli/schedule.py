"""The schedule of `ReconcileOrders`: the rules of EventBridge that invoke it."""

from typing import Any

from cli import aws
from cli.stack import Stack


class Schedule:
    """The rules that invoke the reconciler of one stack."""

    def __init__(self, events: Any, stack: Stack) -> None:
        self._events = events
        _, partition, _, region, account, _ = stack.output("topic_arn").split(":")
        function = stack.output("reconcile_function")
        self._function = f"arn:{partition}:lambda:{region}:{account}:function:{function}"

    def rules(self) -> dict[str, bool]:
        """Return whether each rule is on, by its name."""
        with aws.translated_errors():
            names = self._events.list_rule_names_by_target(TargetArn=self._function)["RuleNames"]
            return {name: self._events.describe_rule(Name=name)["State"] == "ENABLED" for name in names}

    def pause(self) -> None:
        """Turn every rule off; a run in progress completes."""
        with aws.translated_errors():
            for name in self.rules():
                self._events.disable_rule(Name=name)

    def resume(self) -> None:
        """Turn every rule on."""
        with aws.translated_errors():
            for name in self.rules():
                self._events.enable_rule(Name=name)
