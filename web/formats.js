/** Numbers and times as the cafe writes them: in its locale and its time zone. */

import { settings } from "./config.js";

export const { locale, timeZone } = settings;

const plain = new Intl.NumberFormat(locale);
const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone });
const clockWithSeconds = new Intl.DateTimeFormat(locale, { timeStyle: "medium", timeZone });
const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone });
const dayAndYear = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone });
const year = new Intl.DateTimeFormat("en", { year: "numeric", timeZone });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
// The API names hours by the cafe's own clock already: they are only written, not moved to a zone.
const hour = new Intl.DateTimeFormat(locale, { hour: "numeric", timeZone: "UTC" });
const clockHour = new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone: "UTC" });
const dayOfHour = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** @param {number | null} value null: not known */
export const numberText = (value) => (value === null ? "–" : plain.format(value));

/** @param {Date} date */
export const timeText = (date) => clock.format(date);

/** @param {Date} date */
export const exactTimeText = (date) => clockWithSeconds.format(date);

/**
 * The day, with its year when that is not the current one.
 * @param {Date} date
 */
export const dayText = (date) =>
  (year.format(date) === year.format(new Date()) ? day : dayAndYear).format(date);

/**
 * How long ago: "now", "2 min ago", "3 hr ago", "yesterday".
 * @param {Date} date
 * @param {number} now milliseconds
 */
export function ageText(date, now) {
  const ago = Math.max(0, now - date.getTime());
  if (ago < MINUTE) return relative.format(0, "second");
  if (ago < HOUR) return relative.format(-Math.floor(ago / MINUTE), "minute");
  if (ago < DAY) return relative.format(-Math.floor(ago / HOUR), "hour");
  return relative.format(-Math.floor(ago / DAY), "day");
}

/**
 * An hour, as the API names it by the cafe's clock: 2026-11-22T14.
 * @param {string} name
 * @param {"short" | "clock" | "full"} style "14", "14:00" or "22 Nov, 14:00"
 */
export function hourText(name, style) {
  const begin = new Date(`${name}:00:00Z`);
  if (Number.isNaN(begin.getTime())) return name;
  if (style === "short") return hour.format(begin);
  return style === "clock" ? clockHour.format(begin) : `${dayOfHour.format(begin)}, ${clockHour.format(begin)}`;
}
