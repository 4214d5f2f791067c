/** Numbers and times as the cafe writes them: in its locale and its time zone. */

import { settings } from "./settings.js";

export const { locale, timeZone } = settings;

const plain = new Intl.NumberFormat(locale);
const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone });
const clockWithSeconds = new Intl.DateTimeFormat(locale, { timeStyle: "medium", timeZone });
const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone });
const dayAndYear = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone });
const year = new Intl.DateTimeFormat("en", { year: "numeric", timeZone });
const nowText = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(0, "second");
// And not "yesterday", which may be the day before by the calendar.
const relative = new Intl.RelativeTimeFormat(locale, { style: "short" });
// The API names hours by the cafe's own clock already: they are only written, not moved to a zone.
const hour = new Intl.DateTimeFormat(locale, { hour: "numeric", timeZone: "UTC" });
const clockHour = new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone: "UTC" });
const dayOfHour = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });

/** How far the server's clock is ahead of this device's, in milliseconds. */
let ahead = 0;

/** The time in milliseconds, by the server's clock: a device's own may be wrong, and be put right at any time. */
export const now = () => Date.now() + ahead;

/** Take the time from an answer, which tells whole seconds: smaller differences are none. */
export function setClock(time) {
  if (Math.abs(time - now()) > 2_000) ahead = time - Date.now();
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A number; null: not known. */
export const numberText = (value) => (value === null ? "–" : plain.format(value));

/** A time, which no line breaks into two. */
export const timeText = (date) => clock.format(date).replace(/\s/g, "\u00a0");
export const exactTimeText = (date) => clockWithSeconds.format(date);

/** The day, with its year when that is not the current one. */
export const dayText = (date) =>
  (year.format(date) === year.format(now()) ? day : dayAndYear).format(date);

/** How long ago: "now", "2 min ago", "3 hr ago", "1 day ago". */
export function ageText(date) {
  const ago = Math.max(0, now() - date.getTime());
  if (ago < MINUTE) return nowText;
  if (ago < HOUR) return relative.format(-Math.floor(ago / MINUTE), "minute");
  if (ago < DAY) return relative.format(-Math.floor(ago / HOUR), "hour");
  return relative.format(-Math.floor(ago / DAY), "day");
}

/** A span of time as a stopwatch shows it: 4:05, 1:12:30. */
export function stopwatchText(span) {
  const seconds = Math.max(0, Math.floor(span / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

/**
 * An hour, as the API names it by the cafe's clock: 2026-11-22T14.
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
