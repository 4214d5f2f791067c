"""A page that stays open for days: it leaks no memory, is idle without a change, and takes new deploys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.responses import Json, busy_morning, hourly, order, order_status
from tests.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

    from tests.browser.conftest import Board
    from tests.browser.fake_site import FakeSite

WARM_UP = 150  # updates until everything that is created once exists, compiled code included
UPDATES = 150
LOOK = 200  # milliseconds between two looks at the progress
LEAK = 400 * UPDATES  # bytes that the heap may grow by: far below 1 kB an update
LISTENERS = UPDATES // 20  # listeners that may be left over
ROWS = 5  # every update replaces one, however many there are
IDLE_POLLS = 300
TEN_MINUTES = 600_000  # milliseconds between two checks for a new deploy

RECORD_CHANGES = """
window.changed = new Set();
const named = (node) => node?.id || named(node.parentNode);
new MutationObserver((list) => list.forEach(({ target }) => changed.add(named(target))))
    .observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
"""


class BusyDay:
    """The responses of a busy day: each has a new order, another hour and other figures.

    The site holds back the response after `last`: an update makes garbage while memory is measured.
    """

    def __init__(self, site: FakeSite) -> None:
        self.site = site
        self.count = 0
        self.last = WARM_UP

    def release(self, updates: int) -> None:
        """Send this many responses more."""
        self.last += updates
        self.site.release_responses()

    def next(self) -> Json:
        """Return the next response."""
        self.count += 1
        if self.count == self.last:
            self.site.hold_responses()
        orders = [order(f"{self.count - ago}", f"Item {(self.count - ago) % 17}") for ago in range(ROWS)]
        slow = self.count // 10  # the charts change less often
        hours = hourly([(slow + hour) % 50 for hour in range(24)])
        items = [{"item": f"Item {(slow + n) % 9}", "quantity": 50 - n} for n in range(5)]
        degraded = ["sqs"] if self.count % 10 == 0 else []
        return order_status(orders, total=self.count, hourly=hours, top_items=items, degraded=degraded)


def collect_garbage(cdp: CDPSession) -> dict[str, float]:
    """Collect garbage, and return what the page holds."""
    cdp.send("HeapProfiler.collectGarbage")
    return {**cdp.send("Memory.getDOMCounters"), "heap": cdp.send("Runtime.getHeapUsage")["usedSize"]}


def measure_memory(cdp: CDPSession) -> dict[str, float]:
    """Return what the page holds once another collection finds no more garbage."""
    least, found = collect_garbage(cdp), collect_garbage(cdp)
    while found["nodes"] < least["nodes"] or found["heap"] < least["heap"]:
        least, found = found, collect_garbage(cdp)
    return least


def layout_count(cdp: CDPSession) -> float:
    """Return how often the page was laid out."""
    metrics = {entry["name"]: entry["value"] for entry in cdp.send("Performance.getMetrics")["metrics"]}
    return float(metrics["LayoutCount"])


def test_hundreds_of_updates_leak_no_memory(hurried_board: Board) -> None:
    board = hurried_board
    day = BusyDay(board.site)
    # Without motion: a highlight that is still fading would count as a leak.
    board.page.emulate_media(reduced_motion="reduce")
    board.page.set_viewport_size({"width": 640, "height": 240})  # less to paint, and one line for each order
    board.site.make_response = day.next
    board.open()
    cdp = board.page.context.new_cdp_session(board.page)
    has_total = """(total) => {
        const { textContent } = document.querySelector("[data-figure=total]");
        return Number(textContent.replace(",", "")) === total;
    }"""
    board.page.wait_for_function(has_total, arg=WARM_UP, polling=LOOK)
    before = measure_memory(cdp)
    day.release(UPDATES)
    board.page.wait_for_function(has_total, arg=WARM_UP + UPDATES, polling=LOOK)
    after = measure_memory(cdp)
    assert board.rows.count() == ROWS
    assert after["nodes"] < before["nodes"] + 25
    assert after["jsEventListeners"] < before["jsEventListeners"] + LISTENERS
    assert after["documents"] == before["documents"]
    assert after["heap"] < before["heap"] + LEAK


def test_an_unchanged_status_changes_nothing_but_the_time(hurried_board: Board) -> None:
    board = hurried_board
    board.site.etags = True
    board.site.response = busy_morning()
    board.load("/order-status")
    cdp = board.page.context.new_cdp_session(board.page)
    cdp.send("Performance.enable")
    board.page.evaluate(RECORD_CHANGES)
    layouts, polls = layout_count(cdp), board.site.not_modified
    eventually(lambda: board.site.not_modified >= polls + IDLE_POLLS)
    board.page.wait_for_function("() => changed.has('updated')", polling=LOOK)
    layouts, polls = layout_count(cdp) - layouts, board.site.not_modified - polls
    changed = set(board.page.evaluate("[...changed]"))
    assert changed - {"rows"} == {"updated"}  # the age of an order grows in its row
    assert layouts < 2 * polls


def test_an_idle_page_loads_the_next_deploy(board: Board) -> None:
    board.open_with([order("a")], "/order-status?kiosk")
    with board.page.expect_response("**/config.js"):
        board.page.clock.fast_forward(TEN_MINUTES)
    expect(board.rows).to_have_count(1)
    assert board.site.requests.count("/order-status") == 1  # the same deploy
    board.site.settings["version"] = "2"
    with board.page.expect_navigation():
        board.page.clock.fast_forward(TEN_MINUTES)
    expect(board.rows).to_have_count(1)
    expect(board.page).to_have_url(f"{board.site.url}/order-status?kiosk")


def test_a_page_that_is_in_use_loads_the_next_deploy_later(board: Board) -> None:
    board.open_with([order("a")])
    board.site.settings["version"] = "2"
    loaded = board.site.requests.count("/config.js")
    board.button("Pause").click()
    board.page.clock.fast_forward(TEN_MINUTES)
    board.button("Resume").click()
    board.page.get_by_text("As a table").click()
    board.page.clock.fast_forward(TEN_MINUTES)
    board.page.get_by_text("As a table").click()
    board.set_hidden(True)
    board.page.clock.fast_forward(TEN_MINUTES)
    board.set_hidden(False)
    assert board.site.requests.count("/config.js") == loaded
    with board.page.expect_navigation():
        board.page.clock.fast_forward(TEN_MINUTES)
