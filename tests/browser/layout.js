() => {
  const faults = [];
  const name = (element) => element.outerHTML.slice(0, 70);
  const boxes = new Map();
  const boxOf = (element) => boxes.get(element) ?? boxes.set(element, element.getBoundingClientRect()).get(element);
  const fits = (inner, outer) => inner.left >= outer.left - 1.5 && inner.right <= outer.right + 1.5
    && inner.top >= outer.top - 1.5 && inner.bottom <= outer.bottom + 1.5;
  const holders = "section, .card, .hops li, td, tbody th, .menu label, button, .button, header, footer, #notice, svg";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest(".for-ears, noscript, script, title, thead")) continue;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    // A line box is higher than its letters: only the middle of it counts.
    const lines = [...range.getClientRects()].filter(({ width }) => width > 0).map((box) => {
      const air = box.height * 0.28;
      return { left: box.left, right: box.right, top: box.top + air, bottom: box.bottom - air };
    });
    // A text that a list has scrolled out of view is invisible.
    const list = element.closest(".cards");
    if (lines.length === 0 || (list && lines.some(({ top, bottom }) => top < boxOf(list).top || bottom > boxOf(list).bottom))) continue;
    if (getComputedStyle(element).textOverflow === "ellipsis") continue; // as on a wall for long names
    texts.push({ element, node, lines });
    for (let holder = element.closest(holders); holder; holder = holder.parentElement.closest(holders)) {
      if (!lines.every((line) => fits(line, boxOf(holder)))) faults.push(`sticks out: ${name(element)} of ${name(holder)}`);
    }
    if (lines.some(({ left, right }) => left < -1 || right > innerWidth + 1)) faults.push(`outside: ${name(element)}`);
  }
  for (const [index, one] of texts.entries()) {
    for (const other of texts.slice(index + 1)) {
      const touch = one.lines.some((a) => other.lines.some((b) =>
        Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1));
      if (!touch) continue;
      const bar = one.element.closest(".bar") !== other.element.closest(".bar"); // it covers what is scrolled
      if (!bar) faults.push(`overlap: ${name(one.element)} and ${name(other.element)}`);
    }
  }
  for (const { element, node, lines } of texts) {
    if (lines.length < 2) continue;
    for (const { index, 0: word } of node.data.matchAll(/[^\s\-/]+/g)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const rects = [...range.getClientRects()].filter(({ width }) => width > 0);
      if (new Set(rects.map(({ top }) => Math.round(top))).size < 2) continue;
      const width = rects.reduce((sum, rect) => sum + rect.width, 0);
      const card = element.closest("section, .card, header, footer, button, .button");
      const style = getComputedStyle(card);
      const room = card.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      const own = element.closest(".hops li, .menu label") ? 0.8 : element.closest(".card") ? 0.4 : 1; // these have a border and padding of their own
      if (width < room * own) faults.push(`broken: "${word}" of ${Math.round(width)} px where ${Math.round(room)} are`);
    }
  }
  for (const figure of document.querySelectorAll("[data-figure], .quantity, #items b, input, #sum")) {
    if (!figure.closest("thead") && figure.scrollWidth > figure.clientWidth + 1 && figure.clientWidth) faults.push(`cut off: ${name(figure)}`);
  }
  const { scrollWidth } = document.documentElement;
  if (scrollWidth > innerWidth) faults.push(`the page is ${scrollWidth} px wide`);
  return faults;
}
