// Times as people write and read them: ckptsim/units.py. Whole nanoseconds, but for those of laws.

import { Mistake } from "./search.js";

const LENGTHS = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, min: 60e9, h: 3600e9, d: 86400e9, w: 604800e9 };
const ALIASES = { m: "min", mins: "min", minutes: "min", sec: "s", seconds: "s", hours: "h", hr: "h", days: "d" };
const TERM = /\s*((?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?)\s*([a-zµ]+)\s*/iy;
const CLOCK = /^(?:(\d+)[-+])?(\d+):(\d\d):(\d\d(?:\.\d+)?)$/;
const EXAMPLE = "write for example 90min, 1h30min or 2d 3h";
export const MINUTE = LENGTHS.min;
export const HOUR = LENGTHS.h;
export const DAY = LENGTHS.d;

/** The seconds that a text means; throws a Mistake. */
export function secondsOf(text) {
  const told = text.trim();
  const clock = CLOCK.exec(told);
  if (clock) return ((+(clock[1] ?? 0) * 24 + +clock[2]) * 60 + +clock[3]) * 60 + +clock[4];
  if (told === "0") return 0;
  let total = 0;
  TERM.lastIndex = 0;
  while (TERM.lastIndex < told.length) {
    const term = TERM.exec(told);
    const unit = term && (ALIASES[term[2].toLowerCase()] ?? term[2].toLowerCase());
    if (!(unit in LENGTHS)) throw new Mistake(`“${text}” is not a time; ${EXAMPLE}`);
    total += unit === "s" ? +term[1] : (+term[1] * LENGTHS[unit]) / LENGTHS.s;
  }
  if (told === "") throw new Mistake(`A time is missing; ${EXAMPLE}`);
  return total;
}

/** The whole nanoseconds that a text means; throws a Mistake. */
export function nanosecondsOf(text) {
  return Math.round(secondsOf(text) * LENGTHS.s);
}

/** A time (ns) written exactly: 1h24min, 40min, 500ms. */
export function spelled(ns) {
  if (ns > DAY && ns % DAY === 0) return `${ns / DAY}d`;
  if (ns > 0 && ns < LENGTHS.s) {
    const unit = ["ms", "us", "ns"].find((each) => ns % LENGTHS[each] === 0);
    return ns / LENGTHS[unit] + unit;
  }
  const [hours, rest] = [Math.floor(ns / HOUR), ns % HOUR];
  const minutes = Math.floor(rest / MINUTE);
  const seconds = (rest % MINUTE) / LENGTHS.s;
  const parts = [[hours, "h"], [minutes, "min"], [+seconds.toFixed(9), "s"]];
  return parts.map(([count, unit]) => (count ? count + unit : "")).join("") || "0s";
}

/** Seconds of a law written exactly. */
export function spelledSeconds(seconds) {
  const ms = Math.round(seconds * 1000);
  return ms / 1000 === seconds ? spelled(ms * LENGTHS.ms) : `${seconds}s`;
}

/** A time (ns) for people: 1 h 24 min, 5 min, 0.5 s, 2 d 3 h. */
export function shown(ns) {
  if (ns < LENGTHS.s) return ns ? `${+(ns / LENGTHS.ms).toPrecision(3)} ms` : "0 s";
  if (ns < MINUTE - LENGTHS.s / 20) return `${+(ns / LENGTHS.s).toPrecision(3)} s`;
  const finest = ns >= DAY - LENGTHS.s / 2 ? MINUTE : LENGTHS.s;
  let rest = Math.round(ns / finest) * finest;
  const parts = [];
  for (const unit of ["d", "h", "min", "s"]) {
    const count = Math.floor(rest / LENGTHS[unit]);
    rest -= count * LENGTHS[unit];
    if (count) parts.push(`${count} ${unit}`);
  }
  return parts.join(" ");
}

/** A share for people, to a tenth of a percent. */
export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}
