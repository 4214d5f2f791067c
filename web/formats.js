/** Numbers and times in the cafe's locale and time zone. */

import { settings } from "./settings.js";

export const { locale, timeZone } = settings;

const plain = new Intl.NumberFormat(locale);
const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone });
const clockWithSeconds = new Intl.DateTimeFormat(locale, { timeStyle: "medium", timeZone });
const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone });
const dayAndYear = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone });
const year = new Intl.DateTimeFormat("en", { year: "numeric", timeZone });
const nowText = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(0, "second");
// Not `numeric: "auto"`: 24 hours ago may be the day before yesterday.
const relative = new Intl.RelativeTimeFormat(locale, { style: "short" });
// The API returns hours in the cafe's time zone already.
const hour = new Intl.DateTimeFormat(locale, { hour: "numeric", timeZone: "UTC" });
const clockHour = new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone: "UTC" });
const dayOfHour = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });

/** Milliseconds by which the server's clock is ahead of this device's. */
let clockOffset = 0;

/** Return the time by the server's clock in milliseconds: a device's own may be wrong, and may be set at any time. */
export const now = () => Date.now() + clockOffset;

/**
 * Set the server's clock from a response. Responses have whole seconds, so smaller differences are ignored.
 * @param {number} time milliseconds; NaN changes nothing
 */
export function setClock(time) {
  if (Math.abs(time - now()) > 2_000) clockOffset = time - Date.now();
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** @param {number | null} value null: unknown */
export const numberText = (value) => (value === null ? "–" : plain.format(value));

/** Format a time without a place for a line break. @param {Date} date */
export const timeText = (date) => clock.format(date).replace(/\s/g, "\u00a0");

/** @param {Date} date */
export const exactTimeText = (date) => clockWithSeconds.format(date);

/** Format a day, with its year unless that is the current one. @param {Date} date */
export const dayText = (date) =>
  (year.format(date) === year.format(now()) ? day : dayAndYear).format(date);

/** Format how long ago a time was: "now", "2 min ago", "3 hr ago", "1 day ago". @param {Date} date */
export function ageText(date) {
  const ago = Math.max(0, now() - date.getTime());
  if (ago < MINUTE) return nowText;
  if (ago < HOUR) return relative.format(-Math.floor(ago / MINUTE), "minute");
  if (ago < DAY) return relative.format(-Math.floor(ago / HOUR), "hour");
  return relative.format(-Math.floor(ago / DAY), "day");
}

/** Format a duration as a stopwatch: 4:05, 1:12:30. @param {number} duration milliseconds */
export function stopwatchText(duration) {
  const seconds = Math.max(0, Math.floor(duration / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

/**
 * Format an hour of the API.
 * @param {string} name such as 2026-11-22T14
 * @param {"short" | "clock" | "full"} style "14", "14:00" or "22 Nov, 14:00"
 */
export function hourText(name, style) {
  const begin = new Date(`${name}:00:00Z`);
  if (Number.isNaN(begin.getTime())) return name;
  if (style === "short") {
    const parts = hour.formatToParts(begin).filter(({ type }) => type !== "literal");
    return parts.map(({ value }) => value).join("\u202f");
  }
  return style === "clock" ? clockHour.format(begin) : `${dayOfHour.format(begin)}, ${clockHour.format(begin)}`;
}
