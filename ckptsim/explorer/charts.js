// Drawing: scales, axes and the looks of the categories, as strings of SVG.
//
// A chart is a pure function of what it shows, an ink (light or dark) and a width, so that what is
// on the screen, in a download and on paper is made by the same code.

import { DAY, HOUR, MINUTE, shown } from "./times.js";

const S = 1e9;
const STEPS = [
  S, 2 * S, 5 * S, 10 * S, 20 * S, 30 * S, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE,
  30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 5 * DAY, 10 * DAY, 20 * DAY, 50 * DAY,
];
const LETTER = 6.6; // the width of one, about, in pixels
export const FONT = "12px system-ui, 'Segoe UI', 'Liberation Sans', sans-serif";

// Okabe and Ito's colours, which the colour-blind can tell apart (ckptsim/plots/style.py).
export const LOOKS = {
  useful: { label: "useful", color: "#0072B2" },
  write: { label: "write", color: "#56B4E9" },
  transfer: { label: "transfer", color: "#F0E442" },
  restart_in_place: { label: "restart in place", color: "#009E73", hatch: "dashes" },
  restart_lease: { label: "restart in a new lease", color: "#009E73", hatch: "dots" },
  input: { label: "input transfer", color: "#BDBDBD" },
  vacating: { label: "vacating", color: "#BDBDBD", hatch: "bars" },
  gap: { label: "gap", color: "#FFFFFF", hatch: "rising" },
  lost_limit: { label: "lost: limit", color: "#D55E00", hatch: "rising" },
  lost_eviction: { label: "lost: eviction", color: "#E69F00", hatch: "falling" },
};
const HATCHES = {
  dashes: "M0 4H4",
  dots: "M1 1h1.5M5 5h1.5",
  bars: "M4 0V8",
  rising: "M-2 2L2 -2M0 8L8 0M6 10L10 6",
  falling: "M-2 6L2 10M0 0L8 8M6 -2L10 2",
};

export const LIGHT = { paper: "#ffffff", text: "#1a1a1a", quiet: "#5A5A5A", line: "#d6d6d6", curve: "#0072B2", flat: "#009E73", mine: "#D55E00" };
export const DARK = { paper: "#16181c", text: "#e6e6e6", quiet: "#b4b7be", line: "#3a3e46", curve: "#56B4E9", flat: "#009E73", mine: "#F58A3C" };

/** An element of SVG. */
export function tag(name, attributes, inside = "") {
  const told = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(rounded(value))}"`);
  return `<${name}${told.join("")}>${inside}</${name}>`;
}

function rounded(value) {
  return typeof value === "number" ? +value.toFixed(2) : value;
}

export function escaped(text) {
  return String(text).replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);
}

/** Words at a place. */
export function words(text, x, y, ink, more = {}) {
  return tag("text", { x, y, fill: ink.text, ...more }, escaped(text));
}

/** A whole picture, with what it shows in words. */
export function picture({ width, height, title, id }, ink, inside) {
  const attributes = {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": title,
    style: `font: ${FONT}; background: ${ink.paper}`,
  };
  return tag("svg", attributes, tag("defs", {}, patterns(id)) + inside);
}

/** The hatches of the looks, named by picture so that several on a page do not clash. */
function patterns(id) {
  const hatched = Object.entries(LOOKS).filter(([, look]) => look.hatch);
  return hatched.map(([name, look]) => {
    const ground = tag("rect", { width: 8, height: 8, fill: look.color });
    const stroke = name === "gap" ? "#5A5A5A" : inkOn(look.color);
    const lines = tag("path", { d: HATCHES[look.hatch], stroke, "stroke-width": 1, fill: "none", "stroke-opacity": 0.75 });
    const box = { id: `${id}-${name}`, width: 8, height: 8, patternUnits: "userSpaceOnUse" };
    return tag("pattern", box, ground + lines);
  }).join("");
}

/** Black or white, whichever can be read on the colour. */
function inkOn(color) {
  const [red, green, blue] = [1, 3, 5].map((place) => parseInt(color.slice(place, place + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 102 ? "#000000" : "#ffffff";
}

/** What a category is filled with in the picture of this name. */
export function fill(name, id) {
  return LOOKS[name].hatch ? `url(#${id}-${name})` : LOOKS[name].color;
}

/** A map from [low, high] to [from, to], evenly or on a log scale. */
export function scale([low, high], [from, to], isLog = false) {
  const of = isLog ? Math.log : (value) => value;
  const found = (value) => from + ((of(value) - of(low)) / (of(high) - of(low))) * (to - from);
  found.back = (place) => {
    const at = of(low) + ((place - from) / (to - from)) * (of(high) - of(low));
    return isLog ? Math.exp(at) : at;
  };
  return found;
}

/** Round times for an axis from low to high (ns), about so many. */
export function timeTicks(low, high, count) {
  const step = STEPS.find((each) => (high - low) / each <= count) ?? STEPS.at(-1) * Math.ceil((high - low) / STEPS.at(-1) / count);
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, n) => first + n * step);
}

/** Round times for a log axis, none nearer to the last than so many pixels. */
export function logTimeTicks(low, high, at, apart) {
  const every = [...STEPS, 45 * MINUTE, 90 * MINUTE, 8 * HOUR, 3 * DAY].sort((a, b) => a - b);
  const inside = every.filter((each) => low <= each && each <= high);
  if (inside.length < 3) return timeTicks(low, high, 5);
  const kept = [];
  for (const each of inside) if (kept.length === 0 || at(each) - at(kept.at(-1)) >= apart) kept.push(each);
  return kept;
}

/** The axis of times along the bottom. */
export function timeAxis(ticks, at, { top, bottom, left, right }, label, ink) {
  const lines = ticks.map((each) => tag("path", { d: `M${at(each).toFixed(1)} ${top}V${bottom}`, stroke: ink.line }));
  const names = ticks.map((each) => words(shown(each), at(each), bottom + 16, ink, { "text-anchor": "middle", fill: ink.quiet }));
  const name = words(label, (left + right) / 2, bottom + 34, ink, { "text-anchor": "middle" });
  const base = tag("path", { d: `M${left} ${bottom}H${right}`, stroke: ink.quiet });
  return lines.join("") + names.join("") + name + base;
}

/** The axis of percents up the left. */
export function percentAxis([low, high], at, { left, right, top }, label, ink) {
  const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2].find((each) => (high - low) / each <= 6) ?? 0.5;
  const first = Math.ceil(low / step - 1e-9);
  const ticks = Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, n) => (first + n) * step);
  const digits = step < 0.01 ? 1 : 0;
  const each = ticks.map((tick) => {
    const line = tag("path", { d: `M${left} ${at(tick).toFixed(1)}H${right}`, stroke: ink.line });
    const name = `${(100 * tick).toFixed(digits)} %`;
    return line + words(name, left - 6, at(tick) + 4, ink, { "text-anchor": "end", fill: ink.quiet });
  });
  return each.join("") + words(label, 0, top - 10, ink);
}

/** Colours with their names, in rows below a picture; returns [svg, height]. */
export function legend(entries, { left, right, y }, ink) {
  let [x, row, out] = [left, 0, ""];
  for (const { label, mark } of entries) {
    const width = 26 + label.length * LETTER;
    if (x > left && x + width > right) [x, row] = [left, row + 1];
    const top = y + row * 20;
    out += mark(x, top) + words(label, x + 20, top + 9, ink);
    x += width + 8;
  }
  return [out, (row + 1) * 20];
}

/** A legend's mark for a category. */
export function swatch(name, id, ink) {
  return (x, y) => tag("rect", { x, y, width: 14, height: 11, fill: fill(name, id), stroke: ink.quiet, "stroke-width": 0.5 });
}

/** A legend's mark for a line. */
export function stroke(color, dashes = "") {
  return (x, y) => tag("path", { d: `M${x} ${y + 6}h15`, stroke: color, "stroke-width": 2, "stroke-dasharray": dashes });
}
