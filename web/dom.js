/** Writing to the page: texts stay texts, and what is there already is not touched. */

/**
 * @param {string} id
 * @returns {any} the element, of the type that the page's HTML gives it
 */
export const element = (id) => document.getElementById(id);

/**
 * Write a text only where it differs, so that nothing is drawn, selected or announced anew for no reason.
 * @param {Element} target
 * @param {string} text shown as it is, never as markup
 */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * The same for an attribute.
 * @param {Element} target
 * @param {string} name
 * @param {string} value
 */
export function mark(target, name, value) {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

/**
 * Show or hide.
 * @param {HTMLElement} target
 * @param {boolean} shown
 */
export function show(target, shown) {
  if (target.hidden === shown) target.hidden = !shown;
}

/**
 * An element with a class and some children.
 * @param {string} name
 * @param {string} className
 * @param {(Node | string)[]} children
 */
export function make(name, className = "", ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
