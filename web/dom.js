/** Access to the page. Text is never taken as markup, and equal values are not written again. */

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @param {ParentNode} root
 * @throws {TypeError} when no element of this type matches
 */
export function find(selector, type, root = document) {
  const found = root.querySelector(selector);
  if (found instanceof type) return found;
  throw new TypeError(`no ${type.name} matches ${selector}`);
}

/** @param {string} id */
export const element = (id) => find(`#${id}`, HTMLElement);

/** @param {string} id */
export const input = (id) => find(`#${id}`, HTMLInputElement);

/** @param {Event} event */
export function targetOf({ target }) {
  if (target instanceof Element) return target;
  throw new TypeError("the event has no element");
}

/** @param {Node} target @param {string} text */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** @param {Element} target @param {string} name @param {string} value */
export function mark(target, name, value) {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

/** @param {HTMLElement} target @param {boolean} isVisible */
export function show(target, isVisible) {
  if (target.hidden === isVisible) target.hidden = !isVisible;
}

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {(Node | string)[]} children
 */
export function make(name, className = "", ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
