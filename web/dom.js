/** Writing to the page: texts stay texts, and what is there already is not touched. */

/** The element with this id. */
export const element = (id) => document.getElementById(id);

/**
 * Write a text only where it differs, so that nothing is drawn, selected or announced anew for no reason.
 * It is shown as it is, never as markup.
 */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** The same for an attribute. */
export function mark(target, name, value) {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

/** Show or hide. */
export function show(target, shown) {
  if (target.hidden === shown) target.hidden = !shown;
}

/** An element with a class and children, which are nodes or texts. */
export function make(name, className = "", ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
