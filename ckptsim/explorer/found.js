// All that the page shows about a question, found by the solver, and said in words.

import { LOOKS } from "./charts.js";
import { fates, leaseOf } from "./lease.js";
import { bestPlan } from "./plan.js";
import { classicTerms, solverQuestion } from "./question.js";
import { Search, daly, young } from "./search.js";
import { Solver, spread } from "./solver.js";
import { percent, shown } from "./times.js";

const MARGIN = 0.01; // the flat ground: what is within so much of the best
const IN_VIEW = 0.5; // of the best: what is worth as much is shown,
const COULD_BE = 0.75; // and what would be worth as much of it, if nothing but checkpoints took time
const TEETH_DRAWN = 48; // cliffs, those of the longest intervals
const FORMULA_IN_VIEW = 0.3;
const FINE = 96; // points of the curve besides those that the search looked at
const COARSE = 72; // of where the time goes
const ROUNDS_DRAWN = 128; // of a lease without end, one by one
const CLIFFS_DRAWN = 16; // of where the time goes, the deepest
const SAMPLED = 12; // leases
const SEEN_SHARE = 0.0005;
const STILL_THERE = 0.05; // of the leases, at the end of the picture
const ROUNDS_SHOWN = 4; // at least

/** Everything but the best plan, which takes longer; throws a Mistake where nothing can work. */
export function findAll(question) {
  const asked = solverQuestion(question);
  const solver = new Solver(asked);
  const search = new Search(solver);
  const found = {
    solver,
    search,
    best: search.best,
    cliffs: search.cliffs(),
    flat: search.flat(MARGIN),
    formulas: formulasOf(search),
    whole: question.gap > 0 ? "slot time and gaps" : "slot time",
    fates: fates(solver, solver.law.mean === Infinity ? 0 : SAMPLED, question.seed),
    seed: question.seed,
    plan: null,
  };
  found.window = windowOf(found, question.interval);
  found.curve = curveIn(search, found.window);
  found.accounts = accountsIn(found, new Solver(asked, ROUNDS_DRAWN));
  return withInterval(found, question.interval);
}

/** The same with another interval of yours (ns), null for the best. */
export function withInterval(found, interval) {
  const mine = interval === null ? found.best : found.search.value(interval);
  const mineShares = sharesOf(found.solver, mine.interval);
  const told = badputTold(mine, mineShares, found.whole);
  return { ...found, isMine: interval !== null, mine, mineShares, badputTold: told, ...leasesOf({ ...found, mine }) };
}

/** The same with the best plan. */
export function withPlan(found) {
  const planned = { ...found, plan: bestPlan(found.solver, found.best) };
  return { ...planned, ...leasesOf(planned) };
}

/** Young's and Daly's intervals, where there are any. */
function formulasOf(search) {
  const { mean, cost, restart } = classicTerms(search.solver);
  if (mean === Infinity || cost === 0) return [];
  const named = [
    { name: "Young", seconds: young(cost, mean), dashes: "6 3" },
    { name: "Daly", seconds: daly(cost, mean, restart), dashes: "2 3" },
  ];
  return named
    .filter(({ seconds }) => seconds > 0)
    .map((each) => ({ ...each, ...search.value(Math.round(each.seconds * 1e9)) }));
}

/** The intervals to show: all that are any good, and those that are marked. */
function windowOf({ search, best, formulas }, interval) {
  const good = search.curve().filter((each) => each.worth >= IN_VIEW * best.worth);
  const marked = formulas.filter((each) => each.worth >= FORMULA_IN_VIEW * best.worth);
  const shownOnes = [...good, ...marked].map((each) => each.interval);
  const share = COULD_BE * best.worth;
  shownOnes.push(Math.max((search.solver.commit * share) / (1 - share), search.span.low));
  if (interval !== null) shownOnes.push(search.value(interval).interval);
  const [low, high] = [Math.min(...shownOnes), Math.max(...shownOnes)];
  const room = Math.max(high / low, 1.5);
  return [low / room ** 0.03, high * room ** 0.03];
}

function curveIn(search, [low, high]) {
  const { step, span } = search;
  const grid = spread(Math.max(low, step), Math.min(high, span.high), FINE);
  grid.forEach((each) => search.value(Math.max(Math.floor(each / step), 1) * step));
  for (const edge of search.edgesFrom(low).slice(-TEETH_DRAWN)) [edge, edge + step].forEach((each) => search.value(each));
  return search.curve().filter((each) => low <= each.interval && each.interval <= high);
}

/** Where the time goes along the window, on both sides of the deepest cliffs too. */
function accountsIn({ search, window: [low, high], cliffs }, solver) {
  const deepest = [...cliffs].sort((a, b) => b[0].worth - b[1].worth - a[0].worth + a[1].worth);
  const edges = deepest.slice(0, CLIFFS_DRAWN).flatMap((pair) => pair.map((each) => each.interval));
  const grid = spread(low, Math.min(high, search.span.high), COARSE).map((each) => search.inSteps(Math.floor(each)));
  const asked = [...new Set([...grid, ...edges])].filter((each) => low <= each && each <= high);
  return asked.sort((a, b) => a - b).map((interval) => ({ interval, shares: sharesOf(solver, interval) }));
}

/** The shares of slot time and gaps that go to each category with an interval. */
function sharesOf(solver, interval) {
  const spent = { ...solver.account(interval), gap: solver.gap / 1e9 };
  const whole = Object.values(spent).reduce((sum, each) => sum + each, 0);
  return Object.fromEntries(Object.entries(spent).map(([name, each]) => [name, each / whole]));
}

function badputTold(mine, { useful, ...others }, whole) {
  const spent = Object.entries(others).filter(([, share]) => share > SEEN_SHARE).sort((a, b) => b[1] - a[1]);
  const each = spent.map(([name, share]) => `${LOOKS[name].label} ${percent(share)}`);
  return `With ${shown(mine.interval)}: ${percent(useful)} of ${whole} is useful; ${each.join(", ")}.`;
}

/** The leases to draw. */
function leasesOf({ solver, best, mine, plan, fates: lifetimes, seed }) {
  const fixed = (interval) => (fate) => leaseOf(solver, () => interval, fate, solver.threshold(interval));
  const named = [{ name: `Yours: every ${shown(mine.interval)}`, lease: fixed(mine.interval) }];
  if (mine.interval !== best.interval) named.push({ name: `Best: every ${shown(best.interval)}`, lease: fixed(best.interval) });
  if (plan) named.push({ name: `Best plan: ${listed(plan.intervals)}`, lease: planned(solver, plan) });
  const longest = longestShown(solver, mine.interval);
  const uncut = named.map(({ name, lease }) => ({ name, lease: lease(longest + 1) }));
  const sampled = lifetimes.map(fixed(mine.interval));
  const sampledName = sampled.length ? `${sampled.length} leases drawn from the law, with yours (seed ${seed})` : "";
  return { longest, named: uncut, sampled, sampledName, leasesTold: leasesTold(uncut[0].lease, sampled, mine) };
}

function planned(solver, { intervals }) {
  return (fate) => {
    const lease = leaseOf(solver, (n) => intervals[n] ?? Infinity, fate, solver.worklife);
    const isOver = solver.leaveEarly && lease.commits.length >= intervals.length;
    return isOver ? cutAfter(lease, intervals.length) : lease;
  };
}

/** The lease of a job that leaves after so many commits. */
function cutAfter(lease, count) {
  const end = lease.commits[count - 1];
  const segments = lease.segments.filter(({ from }) => from < end);
  return { ...lease, segments, commits: lease.commits.slice(0, count), end, cause: "left" };
}

/** How much of a lease is drawn, ns. */
function longestShown(solver, interval) {
  const few = Math.min(solver.limit, solver.law.quantile(1 - STILL_THERE) * 1e9);
  const some = solver.first + ROUNDS_SHOWN * (interval + solver.again);
  const left = Math.min(solver.threshold(interval) * 2, Infinity);
  const enough = Math.max(few < Infinity ? few : some, Math.min(some, solver.limit));
  return Math.min(enough, Math.max(left, some));
}

function leasesTold(lease, sampled, mine) {
  const lost = sampled.filter(({ segments }) => segments.some(({ kind }) => kind.startsWith("lost"))).length;
  const drawn = sampled.length ? ` Of ${sampled.length} drawn leases ${lost} ${lost === 1 ? "loses" : "lose"} work.` : "";
  const commits = lease.commits.length === 1 ? "1 checkpoint" : `${lease.commits.length} checkpoints`;
  return `With ${shown(mine.interval)}, a lease that nothing cuts short commits ${commits} in ${shown(lease.end)}.${drawn}`;
}

/** The first and the last interval of a plan, and how many there are. */
export function listed(intervals) {
  if (intervals.length === 1) return shown(intervals[0]);
  return `${rough(intervals[0])} … ${rough(intervals.at(-1))} (${intervals.length})`;
}

/** A time for people, no finer than it needs to be to be remembered. */
function rough(ns) {
  const finest = ns >= 36e11 ? 6e10 : 1e9;
  return shown(Math.round(ns / finest) * finest);
}

/** The answer, as `ckptsim plan` says it. */
export function headline({ best }) {
  return `Checkpoint every ${shown(best.interval)} of computing.`;
}

/** The answer's price, against that of your interval. */
export function price({ best, mine, isMine, whole }) {
  const wasted = `${percent(1 - best.worth)} of ${whole} is wasted`;
  if (!isMine) return `${wasted}.`;
  return `${wasted}, against ${percent(1 - mine.worth)} with your ${shown(mine.interval)}.`;
}

/** A warning where any longer cost would throw the answer off; or how far off the next cliff is. */
export function ground({ best, cliffs, flat }) {
  const [low, high] = flat.find((ends) => ends[0] <= best.interval && best.interval <= ends[1]) ?? [best.interval, best.interval];
  const range = shown(low) === shown(high) ? "" : `From ${shown(low)} to ${shown(high)} it is as good to 1 %. `;
  const cliff = cliffs.find(([edge]) => edge.interval >= best.interval);
  if (!cliff) return `${range}There is no cliff above it.`;
  const [edge, beyond] = cliff;
  const fewer = edge.fitting === null || edge.fitting === beyond.fitting ? "" : `${beyond.fitting} instead of ${edge.fitting} checkpoints fit a lease: `;
  const drop = `${fewer}useful ${percent(beyond.worth)} instead of ${percent(edge.worth)}`;
  if (edge.interval > best.interval) return `${range}Beyond ${shown(edge.interval)} is a cliff: ${drop}.`;
  return `${range}It stands at the very edge of a cliff: any longer, and ${drop}. Unless your costs are known to the second, stay a little below.`;
}

/** The rows of the table: what, interval, fit a lease, committed a lease, useful, gain. */
export function rowsOf({ best, mine, isMine, plan, formulas }) {
  const rows = [["best fixed interval", best]];
  if (isMine) rows.push(["your interval", mine]);
  if (plan) rows.push(["best plan", { ...plan, fitting: plan.intervals.length, told: listed(plan.intervals) }]);
  formulas.forEach((each) => rows.push([each.name, each]));
  return rows.map(([name, each]) => [
    name,
    each.told ?? shown(each.interval),
    each.fitting === null ? "–" : String(each.fitting),
    shown(Math.round(each.work) * 1e9),
    percent(each.worth),
    points(each.worth - best.worth),
  ]);
}

function points(share) {
  const rounded = (100 * share).toFixed(1);
  return Number(rounded) === 0 ? "0.0" : rounded.replace("-", "−").replace(/^(?=\d)/, "+");
}
