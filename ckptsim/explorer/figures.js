// The three pictures: the saw-tooth, where the time goes, and leases.

import {
  LOOKS, fill, legend, logTimeTicks, percentAxis, picture, scale, stroke, swatch, tag, timeAxis,
  timeTicks, words,
} from "./charts.js";
import { CATEGORIES } from "./solver.js";
import { percent, shown } from "./times.js";

const BAR = 15;
const ROW = 36; // of a lease with its name
const SAMPLED_ROW = 13; // of one without
const LEFT = 52;
const DENSE = 240; // segments in a row
const SEEN = 0.5; // pixels
const CLIFFS_NAMED = 4;
const BADPUT = [...CATEGORIES.filter((name) => name !== "useful" && !name.startsWith("lost")), "gap", "lost_limit", "lost_eviction"];

/** Where the plot of a picture so wide is. */
export function frame(width, height) {
  return { left: LEFT, right: width - 14, top: 26, bottom: height };
}

/** The places of intervals in a picture so wide. */
export function intervalScale(found, width) {
  const { left, right } = frame(width, 0);
  return scale(found.window, [left, right], true);
}

/** What each interval is worth, and where the answers lie. */
export function curveFigure(found, ink, width) {
  const box = frame(width, 300);
  const at = intervalScale(found, width);
  const heights = found.curve.map((each) => each.worth);
  const top = Math.max(found.best.worth, found.plan?.worth ?? 0);
  const bottom = Math.max(Math.min(...heights, found.mine.worth), 0.3 * top);
  const room = Math.max(top - bottom, 0.01);
  const range = [Math.max(bottom - 0.08 * room, 0), top + 0.1 * room];
  const up = scale(range, [box.bottom, box.top]);
  const clipped = (each) => Math.max(each.worth, range[0]);
  const path = found.curve.map((each, n) => `${n ? "L" : "M"}${at(each.interval).toFixed(1)} ${up(clipped(each)).toFixed(1)}`);
  const inside = [
    ...found.flat.map((ends) => band(ends, at, box, ink)),
    timeAxis(logTimeTicks(...found.window, at, 62), at, box, "Interval: computing between two checkpoints", ink),
    percentAxis(range, up, box, `Useful fraction (% of ${found.whole})`, ink),
    ...found.formulas.map(({ interval, dashes }) => vertical(interval, at, box, ink.quiet, dashes)),
    found.plan ? tag("path", { d: `M${box.left} ${up(found.plan.worth)}H${box.right}`, stroke: ink.flat, "stroke-width": 1.5, "stroke-dasharray": "8 4" }) : "",
    tag("path", { d: path.join(""), fill: "none", stroke: ink.curve, "stroke-width": 2, "stroke-linejoin": "round" }),
    ...namedCliffs(found, at, up, ink),
    vertical(found.mine.interval, at, box, ink.mine, ""),
    tag("circle", { cx: at(found.mine.interval), cy: up(clipped(found.mine)), r: 6, fill: ink.mine, stroke: ink.paper, "stroke-width": 1.5 }),
    star(at(found.best.interval), up(found.best.worth), ink),
  ];
  const [keys, high] = legend(curveKeys(found, ink), { left: 4, right: width, y: 346 }, ink);
  const title = `Useful fraction over the interval. Best: ${shown(found.best.interval)}, useful ${percent(found.best.worth)}. Yours: ${shown(found.mine.interval)}, useful ${percent(found.mine.worth)}.`;
  return picture({ width, height: 346 + high, title, id: "curve" }, ink, inside.join("") + keys);
}

function band([low, high], at, { top, bottom }, ink) {
  const x = at(low);
  return tag("rect", { x, y: top, width: Math.max(at(high) - x, 1.5), height: bottom - top, fill: ink.flat, "fill-opacity": 0.25 });
}

function vertical(interval, at, { top, bottom }, color, dashes) {
  return tag("path", { d: `M${at(interval).toFixed(1)} ${top}V${bottom}`, stroke: color, "stroke-width": 1.5, "stroke-dasharray": dashes });
}

function star(x, y, ink) {
  const corners = Array.from({ length: 10 }, (_, n) => {
    const [reach, turn] = [n % 2 ? 3.6 : 8.5, (n * Math.PI) / 5 - Math.PI / 2];
    return `${(x + reach * Math.cos(turn)).toFixed(1)} ${(y + reach * Math.sin(turn)).toFixed(1)}`;
  });
  return tag("path", { d: `M${corners.join("L")}Z`, fill: "#F0E442", stroke: ink.text });
}

/** The deepest cliffs in view, with how many checkpoints fit a lease on either side. */
function namedCliffs(found, at, up, ink) {
  const [low, high] = found.window;
  const inView = found.cliffs.filter(([edge]) => low < edge.interval && edge.interval < high && edge.fitting);
  const deepest = inView.sort((a, b) => b[0].worth - b[1].worth - a[0].worth + a[1].worth).slice(0, CLIFFS_NAMED);
  return deepest.map(([edge, beyond]) => {
    const y = Math.min((up(edge.worth) + up(beyond.worth)) / 2, up(edge.worth) + 60) + 4;
    return words(`${edge.fitting}→${beyond.fitting}`, at(edge.interval) + 5, y, ink, { "font-size": 11, stroke: ink.paper, "stroke-width": 3, "paint-order": "stroke" });
  });
}

function curveKeys(found, ink) {
  const marks = [
    { label: "best fixed interval", mark: (x, y) => star(x + 7, y + 6, ink) },
    { label: "your interval", mark: (x, y) => tag("circle", { cx: x + 7, cy: y + 6, r: 5, fill: ink.mine }) },
    { label: "within 1 % of the best", mark: (x, y) => tag("rect", { x, y, width: 14, height: 11, fill: ink.flat, "fill-opacity": 0.35 }) },
  ];
  const plan = found.plan ? [{ label: "best plan, unequal intervals", mark: stroke(ink.flat, "8 4") }] : [];
  const formulas = found.formulas.map(({ name, dashes }) => ({ label: name, mark: stroke(ink.quiet, dashes) }));
  return [...marks, ...plan, ...formulas];
}

/** Where the time goes that is not useful, over the interval. */
export function badputFigure(found, ink, width) {
  const box = frame(width, 240);
  const at = intervalScale(found, width);
  const heights = found.accounts.map(({ shares }) => 1 - shares.useful);
  const most = Math.min(Math.max(...heights), Math.max(1 - 0.5 * found.best.worth, found.mineShares.useful ? 1 - found.mineShares.useful : 0));
  const up = scale([0, most * 1.05], [box.bottom, box.top]);
  const named = BADPUT.filter((name) => found.accounts.some(({ shares }) => shares[name] > 0.0005));
  let below = found.accounts.map(() => 0);
  const layers = named.map((name) => {
    const above = below.map((base, n) => base + found.accounts[n].shares[name]);
    const points = (edge) => edge.map((each, n) => `${at(found.accounts[n].interval).toFixed(1)} ${up(Math.min(each, most)).toFixed(1)}`);
    const d = `M${points(above).join("L")}L${points(below).reverse().join("L")}Z`;
    below = above;
    return tag("path", { d, fill: fill(name, "badput"), stroke: ink.paper, "stroke-width": 0.5 });
  });
  const inside = [
    timeAxis(logTimeTicks(...found.window, at, 62), at, box, "Interval: computing between two checkpoints", ink),
    percentAxis([0, most * 1.05], up, box, `Not useful (% of ${found.whole})`, ink),
    ...layers,
    vertical(found.mine.interval, at, box, ink.text, ""),
  ];
  const entries = named.map((name) => ({ label: LOOKS[name].label, mark: swatch(name, "badput", ink) }));
  const [keys, high] = legend(entries, { left: 4, right: width, y: 286 }, ink);
  return picture({ width, height: 286 + high, title: found.badputTold, id: "badput" }, ink, inside.join("") + keys);
}

/** Leases: what a job does with one that nothing cuts short, and with some drawn from the law. */
export function leasesFigure(found, ink, width) {
  const at = scale([0, found.longest], [8, width - 14]);
  const named = found.named.map(({ name, lease }, n) => {
    const y = n * ROW;
    return words(name, 8, y + 13, ink) + bar(lease, at, y + 18, BAR, found.longest, ink);
  });
  const start = found.named.length * ROW + 14;
  const heading = words(found.sampledName, 8, start, ink);
  const sampled = found.sampled.map((lease, n) => bar(lease, at, start + 8 + n * SAMPLED_ROW, SAMPLED_ROW - 3, found.longest, ink));
  const bottom = start + 12 + (found.sampled.length ? found.sampled.length * SAMPLED_ROW : -8);
  const box = { left: 8, right: width - 14, top: 18, bottom };
  const axis = timeAxis(timeTicks(0, found.longest, Math.max(Math.floor(width / 110), 3)).slice(1), at, box, "Age of the lease", ink);
  const seen = [...found.named.map(({ lease }) => lease), ...found.sampled].flatMap(({ segments }) => segments.map(({ kind }) => kind));
  const kinds = Object.keys(LOOKS).filter((kind) => seen.includes(kind));
  const entries = [
    ...kinds.map((kind) => ({ label: kind === "useful" ? "computing, committed" : LOOKS[kind].label, mark: swatch(kind, "leases", ink) })),
    { label: "commit", mark: (x, y) => commit(x + 7, y + 11, 9, ink) },
    { label: "evicted", mark: (x, y) => cross(x + 7, y + 6, ink) },
  ];
  const [keys, high] = legend(entries, { left: 4, right: width, y: bottom + 46 }, ink);
  return picture({ width, height: bottom + 46 + high, title: found.leasesTold, id: "leases" }, ink, axis + named.join("") + heading + sampled.join("") + keys);
}

function bar(lease, at, y, height, longest, ink) {
  const inView = lease.segments.filter(({ from }) => from < longest);
  const isDense = inView.length > DENSE;
  const drawn = isDense ? thinned(inView, (from, to) => at(to) - at(from)) : inView;
  const rects = drawn.map(({ kind, from, to }) => {
    const x = at(from);
    return tag("rect", { x, y, width: Math.max(at(Math.min(to, longest)) - x, 0.6), height, fill: fill(kind, "leases") });
  });
  const commits = isDense ? [] : lease.commits.filter((age) => age <= longest);
  const marks = commits.map((age) => commit(at(age), y + height, height, ink));
  const end = lease.cause === "eviction" && lease.end <= longest ? cross(at(lease.end), y + height / 2, ink) : "";
  return tag("g", {}, rects.join("") + marks.join("") + end);
}

/** Of very many segments those that can be seen, over one that stands for all that is computed. */
function thinned(segments, width) {
  const whole = { kind: "useful", from: segments[0].from, to: segments.at(-1).to };
  return [whole, ...segments.filter(({ kind, from, to }) => kind !== "useful" && width(from, to) >= SEEN)];
}

function commit(x, y, height, ink) {
  return tag("path", { d: `M${x.toFixed(1)} ${y}v${-height - 2}`, stroke: ink.text, "stroke-width": 1.6 });
}

function cross(x, y, ink) {
  return tag("path", { d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`, stroke: ink.text, "stroke-width": 2 });
}
