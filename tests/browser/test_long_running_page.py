"""A page that is left open all day: it takes no more memory, and it does not stutter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.conftest import PICTURES
from tests.browser.responses import answer, busy_morning, hourly, order

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

    from tests.browser.conftest import Board
    from tests.browser.fake_site import Site

WARM = 100  # updates until everything that is made once is made
UPDATES = 500
LOOK = 200  # milliseconds between two looks at how far it is
KEPT = 200_000  # bytes that the page may hold more after the others: far below 1 kB an update
ROWS = 5  # every update replaces one, however many there are
IDLE = 300  # questions that bring no news
LONG = 50  # milliseconds that a task may take before a person notices
TEN_MINUTES = 600_000  # milliseconds between two looks for a deploy

WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: "longtask" });
window.changed = new Set();
const named = (node) => node?.id || named(node.parentNode);
new MutationObserver((list) => list.forEach(({ target }) => changed.add(named(target))))
    .observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
"""


class Day:
    """A busy day: every answer has another order, another hour and other figures.

    The site keeps back what comes after `last`: updates make garbage while it is collected and counted.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.count = 0
        self.last = WARM

    def go_on(self, updates: int) -> None:
        """Send so many answers more."""
        self.last += updates
        self.site.let_go()

    def next(self) -> dict[str, Any]:
        """Return the next answer."""
        self.count += 1
        if self.count == self.last:
            self.site.hold()
        orders = [order(f"{self.count - ago}", f"Item {(self.count - ago) % 17}") for ago in range(ROWS)]
        slow = self.count // 10  # charts change now and then
        hours = hourly([(slow + hour) % 50 for hour in range(24)])
        items = [{"item": f"Item {(slow + n) % 9}", "quantity": 50 - n} for n in range(5)]
        degraded = ["sqs"] if self.count % 10 == 0 else []
        return answer(orders, total=self.count, hourly=hours, top_items=items, degraded=degraded)


def counted(cdp: CDPSession) -> dict[str, float]:
    """Collect garbage, and return what the page holds."""
    cdp.send("HeapProfiler.collectGarbage")
    return {**cdp.send("Memory.getDOMCounters"), "heap": cdp.send("Runtime.getHeapUsage")["usedSize"]}


def measured(cdp: CDPSession) -> dict[str, float]:
    """Return what the page holds once a collection finds nothing that the one before it left."""
    least, found = counted(cdp), counted(cdp)
    while found["nodes"] < least["nodes"] or found["heap"] < least["heap"]:
        least, found = found, counted(cdp)
    return least


def work(cdp: CDPSession) -> dict[str, float]:
    """Return how often the page was laid out since it was opened, and for how many seconds it has worked."""
    return {entry["name"]: entry["value"] for entry in cdp.send("Performance.getMetrics")["metrics"]}


def report(name: str, figures: dict[str, object]) -> None:
    """Keep figures next to the pictures."""
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n")


def test_hundreds_of_updates_leave_nothing_behind(hurried_board: Board) -> None:
    board = hurried_board
    day = Day(board.site)
    # Without motion: a highlight that is still fading would count as something that is kept.
    board.page.emulate_media(reduced_motion="reduce")
    board.page.set_viewport_size({"width": 640, "height": 240})  # less to paint, and a line for each order
    board.site.next_answer = day.next
    board.open()
    cdp = board.page.context.new_cdp_session(board.page)
    shown = """(total) => {
        const { textContent } = document.querySelector("[data-figure=total]");
        return Number(textContent.replace(",", "")) === total;
    }"""
    board.page.wait_for_function(shown, arg=WARM, polling=LOOK)
    before = measured(cdp)
    day.go_on(UPDATES)
    board.page.wait_for_function(shown, arg=WARM + UPDATES, polling=LOOK)
    after = measured(cdp)
    report("updates", {"before": before, "after": after})
    assert board.page.locator("#rows tr").count() == ROWS
    assert after["nodes"] < before["nodes"] + 25
    assert after["jsEventListeners"] < before["jsEventListeners"] + 25
    assert after["documents"] == before["documents"]
    assert after["heap"] < before["heap"] + KEPT


def test_asking_for_no_news_changes_no_more_than_the_time(hurried_board: Board) -> None:
    board = hurried_board
    board.site.etags = True
    board.site.answer = busy_morning()
    board.open()
    expect(board.rows).to_have_count(20)
    cdp = board.page.context.new_cdp_session(board.page)
    cdp.send("Performance.enable")
    board.page.evaluate(WATCH)
    before, asked = work(cdp), board.site.not_modified
    while board.site.not_modified < asked + IDLE:
        board.page.evaluate("new Promise((done) => requestAnimationFrame(done))")
    after, asked = work(cdp), board.site.not_modified - asked
    changed, long_tasks = board.page.evaluate("[[...changed], longTasks]")
    each = {
        name: round((after[name] - before[name]) / asked, 6)
        for name in ("LayoutCount", "TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
    }
    # How long a task takes is for a person to read: it says as much about the machine.
    report("idle", {"questions": asked, "each": each, f"tasks over {LONG} ms": long_tasks})
    assert set(changed) - {"rows"} == {"updated"}  # what is minutes old grows older in its row
    assert each["LayoutCount"] < 2


# --- A screen that stays on longer than a deploy lasts ---


def test_the_next_deploy_is_taken_by_itself(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open("/order-status?kiosk")
    expect(board.rows).to_have_count(1)
    with board.page.expect_response("**/config.js"):
        board.page.clock.fast_forward(TEN_MINUTES)
    expect(board.rows).to_have_count(1)
    assert board.site.requests.count("/order-status") == 1  # nothing changed
    board.site.settings["version"] = "2"
    with board.page.expect_navigation():
        board.page.clock.fast_forward(TEN_MINUTES)
    expect(board.rows).to_have_count(1)
    expect(board.page).to_have_url(f"{board.site.url}/order-status?kiosk")


def test_a_deploy_waits_for_those_who_read(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.site.settings["version"] = "2"
    loaded = board.site.requests.count("/config.js")
    board.page.get_by_role("button", name="Pause").click()
    board.page.clock.fast_forward(TEN_MINUTES)
    board.page.get_by_role("button", name="Resume").click()
    board.page.get_by_text("As a table").click()
    board.page.clock.fast_forward(TEN_MINUTES)
    board.page.get_by_text("As a table").click()
    board.set_hidden(True)
    board.page.clock.fast_forward(TEN_MINUTES)
    board.set_hidden(False)
    assert board.site.requests.count("/config.js") == loaded
    with board.page.expect_navigation():
        board.page.clock.fast_forward(TEN_MINUTES)
