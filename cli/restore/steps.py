"""The steps of a restore, which can be continued: steps that are done are not repeated."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cli import aws, times, worker
from cli.error_codes import explain
from cli.errors import CafeError, OperationError
from cli.forget.eraser import Eraser
from cli.plurals import counted, orders
from cli.progress import counting, waiting
from cli.reconciler import Reconciler
from cli.restore.backups import Backups
from cli.restore.deploys import PROTECTION, SNAPSHOT, STORAGE, Deploys
from cli.restore.lost import Lost
from cli.restore.record import Record, Records
from cli.schedule import Schedule
from cli.stopping import stopping
from cli.terminal import plain
from orders.states import LATE_AFTER


@dataclass(kw_only=True)
class Restore:
    """A restore of one stack's database."""

    functions: aws.LambdaClient
    deploys: Deploys
    backups: Backups
    records: Records
    schedule: Schedule
    lost: Lost
    reconciler: Reconciler
    record: Record
    say: Callable[[str], None]

    def run(self) -> str | None:
        """Take every step that is not done yet; return why the audit failed, None if it succeeded."""
        if not self._is_replaced():
            self._make_snapshot()
            self.deploys.refuse(self._changes())
            self._unprotect()
            self._pause()
            self._replace_database()
        if self.record.resumed_at is None:
            self._erase()
            self._resume_worker()
        if self.record.lost is None:
            self._restore_orders()
        self.schedule.resume()
        self._protect()
        problem = self._audit()
        self.records.delete()
        return problem

    def cancel(self) -> None:
        """Cancel the restore; raise OperationError if the database has been replaced."""
        if self.backups.is_replaced():
            raise OperationError("The database has been replaced already: continue the restore.")
        self._switch_worker(worker.ENABLED)
        self.schedule.resume()
        if self.record.to is not None:
            self.backups.delete_beside(self.record.snapshot)
        settings = self.deploys.settings()
        if settings[SNAPSHOT] == self.record.snapshot:
            self.deploys.put_back((SNAPSHOT, STORAGE))
        # Pulumi writes the settings of a deploy to the stack's file before it asks.
        if self.deploys.deployed[PROTECTION] and settings[PROTECTION] == "false":
            self.deploys.put_back((PROTECTION,))
        self._protect()
        self.records.delete()

    def _make_snapshot(self) -> None:
        if self.record.to is None:
            return
        instance_class = self.deploys.settings()["databaseInstanceClass"]
        with waiting(f"Restoring a database beside the running one, {self.record.what}") as update:
            self.backups.make_snapshot(self.record.to, instance_class, update)
        self.say(f"Snapshot {self.record.snapshot} is available.")

    def _unprotect(self) -> None:
        if self.deploys.deployed[PROTECTION]:
            self.say("A deploy turns deletion protection off: nothing else changes.")
            self.deploys.deploy({PROTECTION: "false"})

    def _pause(self) -> None:
        if self.record.resumed_at:
            return
        self.schedule.pause()
        self.record.paused_at = self.record.paused_at or datetime.now(UTC)
        self.records.save(self.record)
        self._switch_worker(worker.DISABLED)
        self.say("The worker and the schedule of ReconcileOrders are paused; orders wait in the queue.")

    def _replace_database(self) -> None:
        self.say(f"A deploy replaces the database, {self.record.what}: it takes about half an hour.")
        self.deploys.deploy(self._changes())
        if not self._is_replaced():
            raise OperationError("The deploy has not replaced the database.")

    def _erase(self) -> None:
        """Erase what was erased since the backup, before the worker or a person reads it."""
        eraser = Eraser(functions=self.functions, name=self.deploys.stack.output("erase_function"))
        self.say(f"{orders(eraser.apply())} erased again, whose names the backup had.")

    def _resume_worker(self) -> None:
        self._switch_worker(worker.ENABLED)
        self.record.resumed_at = datetime.now(UTC)
        self.records.save(self.record)
        paused = times.duration(self.record.paused_seconds)
        self.say(f"The database is restored, and the worker takes orders again. It was paused for {paused}.")

    def _restore_orders(self) -> None:
        self._wait_until_late()
        with stopping() as stop, counting("Looked up", None) as advance:
            sent = self.lost.send_again(stop, advance)
        if stop.is_set():
            raise CafeError("Stopped: not all orders are sent to the worker again.", exit_code=130)
        with waiting("The worker records them") as update:
            lost = self.lost.wait(sent, update)
        self.record.orders = len(sent.missing.keys() - set(lost))
        self.record.states = len(sent.older.keys() - set(lost))
        self.record.lost = lost
        self.records.save(self.record)
        restored = f"{orders(self.record.orders)} and {counted(self.record.states, 'state')} restored"
        self.say(f"{restored} from DynamoDB; {len(lost):,} not restored.")
        if sent.failures:
            order_id, reason = next(iter(sent.failures.items()))
            self.say(f"{orders(len(sent.failures))} could not be sent; {plain(order_id)}: {plain(reason)}")

    def _wait_until_late(self) -> None:
        """Wait until every missing order counts as late, so that the worker keeps its state."""
        since = self.record.paused_at
        with waiting("Waiting until the last orders are ten minutes old"):
            while since and (rest := LATE_AFTER - (datetime.now(UTC) - since)) > timedelta(0):
                time.sleep(min(rest.total_seconds(), 1.0))

    def _audit(self) -> str | None:
        with waiting("Auditing every counter") as update:
            report = self.reconciler.run("full", lambda so_far: update(f"Compared {orders(so_far.checked)}"))
        if report.reason:
            return explain(report.reason)
        if report.remaining:
            return f"{report.remaining:,} still differ"
        rows = orders(report.rds_orders or 0)
        self.say(f"The database has {rows}; {counted(len(report.corrected), 'counter')} corrected in it.")
        return None

    def _protect(self) -> None:
        if self.record.protected and not self.deploys.deployed[PROTECTION]:
            self.say("A deploy turns deletion protection on again.")
            self.deploys.deploy({PROTECTION: "true"})

    def _changes(self) -> dict[str, str]:
        snapshot = self.backups.snapshot(self.record.snapshot)
        if snapshot is None:
            raise OperationError(f"Snapshot {self.record.snapshot} does not exist any more.")
        return self.deploys.changes(snapshot)

    def _is_replaced(self) -> bool:
        """Return whether the last successful deploy made the database from the snapshot."""
        return bool(self.deploys.deployed[SNAPSHOT] == self.record.snapshot)

    def _switch_worker(self, wanted: str) -> None:
        worker.switch(self.functions, self.deploys.stack.output("worker_mapping"), wanted)
