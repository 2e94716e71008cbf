// The best unequal intervals for a lease: planned on a grid of ages, then polished
// (ckptsim/program.py and unequal.py, for constant costs).
//
// Let V(t) be what a job that begins to compute at age t of a lease can still commit in it:
//
//     V(t) = max over a > t of  (a - t) P(a) + V(a + write + transfer + restart in place),
//
// with P(a) the probability that a commit gets through if computing stops at a. Where a lease can
// end by itself its length counts too: time is charged at ρ, the useful fraction, which is found by
// Dinkelbach's iteration on ratios (1967). Ages are seconds here.

import { SECOND } from "./solver.js";

const POINTS = 1440; // of the grid,
const POINTS_AN_INTERVAL = 8; // or more, where intervals are short beside the longest leases,
const POINTS_MOST = 6000; // but not many more
const RARE = 1e-5; // a lease without a limit is planned until so few are left
const ITERATIONS_MAX = 8;
const SETTLED = 1e-9; // of the useful fraction
const POLISHED_MOST = 70; // intervals; of more, each hardly matters
const ROUNDS_PLANNED = 20000; // at most
const SWEEPS = 60;
const CENTURY_S = 36525 * 86400;

/** The best plan found, { intervals (ns), useful, worth, … }, no worse than the best fixed interval. */
export function bestPlan(solver, fixed) {
  const planner = new Planner(solver, fixed.interval / SECOND);
  const room = (planner.last - planner.first) / (fixed.interval / SECOND + planner.again);
  const often = fixed.fitting ?? Math.min(Math.ceil(room), ROUNDS_PLANNED);
  const equal = Array.from({ length: often }, () => fixed.interval / SECOND);
  const starts = [planner.stopsOf(equal), planner.planned()].filter((stops) => stops.length > 0);
  const tried = starts.flatMap((stops) => [stops, planner.polished(stops)]);
  const values = tried.map((stops) => planner.value(stops));
  return values.reduce((best, each) => (each.worth > best.worth ? each : best));
}

class Planner {
  /** `interval` (s) is one that is good, for how fine a grid has to be. */
  constructor(solver, interval) {
    this.solver = solver;
    this.first = solver.first / SECOND;
    this.commit = solver.commit / SECOND;
    this.again = solver.again / SECOND;
    this.gap = solver.gap / SECOND;
    this.worklife = solver.worklife / SECOND;
    const few = solver.law.quantile(1 - RARE) + solver.outliving / SECOND;
    this.last = Math.min(few, solver.limit / SECOND, CENTURY_S) - this.commit; // to stop computing at
    const length = this.last - this.first;
    const finest = Math.max(this.commit, interval / POINTS_AN_INTERVAL / 10);
    const fine = Math.max((length * POINTS_AN_INTERVAL) / interval, length / finest);
    this.points = Math.ceil(Math.min(Math.max(fine, POINTS), POINTS_MOST));
    this.ends = solver.leaveEarly || this.worklife < solver.horizon; // can a lease end by itself?
  }

  /** The probability of a commit if computing stops at this age. */
  chance(stop) {
    return this.solver.chance(Math.round((stop + this.commit) * SECOND));
  }

  /** Mean length of a lease whose last commit is after computing until this age. */
  length(stop) {
    const safe = stop + this.commit;
    const leaves = this.solver.leaveEarly || safe > this.worklife;
    return leaves ? this.solver.lasting(safe) : this.solver.whole;
  }

  /** When computing stops with these intervals (s), up to the last that may help. */
  stopsOf(intervals) {
    const stops = [];
    let begun = this.first;
    for (const each of intervals) {
      if (begun + each > this.last + 1e-9) break;
      stops.push(begun + each);
      if (begun + each + this.commit > this.worklife) break;
      begun += each + this.again;
    }
    return stops;
  }

  /** What a plan is worth, by its stops. */
  value(stops) {
    const work = this.work(stops);
    const vacating = this.solver.outliving > 0 ? this.vacating(stops) : 0;
    const lease = this.length(stops.at(-1)) + vacating;
    const ages = stops.map((stop) => Math.round(stop * SECOND));
    const { first, again } = this.solver;
    const intervals = ages.map((age, n) => age - (n === 0 ? first : ages[n - 1] + again));
    return { intervals, stops, work, lease, useful: work / lease, worth: work / (lease + this.gap) };
  }

  begun(stops, n) {
    return n === 0 ? this.first : stops[n - 1] + this.again;
  }

  work(stops) {
    return stops.reduce((sum, stop, n) => sum + (stop - this.begun(stops, n)) * this.chance(stop), 0);
  }

  vacating(stops) {
    return stops.reduce((sum, stop) => sum + this.solver.vacating((stop + this.commit) * SECOND), 0);
  }

  /** The best stops on a grid. */
  planned() {
    let [rho, stops] = [0, this.choose(0)];
    for (let n = 0; this.ends && n < ITERATIONS_MAX && stops.length > 0; n++) {
      const found = this.value(stops).worth;
      if (Math.abs(found - rho) < SETTLED) break;
      rho = found;
      stops = this.choose(rho);
    }
    return stops;
  }

  /** The best stops on a grid if a second of slot time is worth `rho`. */
  choose(rho) {
    const { points } = this;
    const step = (this.last - this.first) / points;
    const after = Math.ceil(this.again / step); // less is promised than is kept
    const age = (n) => this.first + n * step;
    const whole = rho * this.solver.whole;
    const chance = Float64Array.from({ length: points + 1 }, (_, n) => this.chance(age(n)));
    const then = new Float64Array(points + 1); // what is to come once computing stops there
    const best = new Float64Array(points + 1).fill(-whole);
    const stop = new Int32Array(points + 1);
    let longest = points; // who begins earlier stops no later, for the chance of a commit only falls
    for (let here = points - 1; here >= 0; here--) {
      then[here + 1] = this.onwards(here + 1, after, age, best, rho);
      let top = 0;
      for (let at = here + 1; at <= longest; at++) {
        const worth = (at - here) * step * chance[at] + then[at];
        if (worth > best[here]) [best[here], top] = [worth, at];
      }
      stop[here] = top;
      longest = top === 0 ? points : Math.min(top + 1, points);
    }
    return this.followed(stop, after, age);
  }

  /** What is to come once computing stops there: to go on, or to leave. */
  onwards(at, after, age, best, rho) {
    const safe = age(at) + this.commit;
    const next = at + after <= this.points ? best[at + after] : -rho * this.solver.whole;
    if (!this.ends) return next;
    const leaving = -rho * this.solver.lasting(safe);
    if (safe > this.worklife) return leaving;
    return this.solver.leaveEarly ? Math.max(next, leaving) : next;
  }

  followed(stop, after, age) {
    const stops = [];
    for (let here = 0; here <= this.points && stop[here] > 0; here = stop[here] + after) {
      stops.push(age(stop[here]));
      if (stops.at(-1) + this.commit > this.worklife) break;
    }
    return stops;
  }

  /** The best plan near this one, among as many intervals: each stop in turn, by parabolas. */
  polished(start) {
    if (start.length > POLISHED_MOST) return start;
    const stops = [...start];
    let reach = (this.last - this.first) / stops.length / 16;
    for (let n = 0; n < SWEEPS && reach > 1e-3; n++) {
      const rho = this.ends ? this.value(stops).worth : 0;
      const moved = stops.map((_, place) => this.move(stops, place, reach, rho));
      if (Math.max(...moved) < reach / 4) reach /= 4;
    }
    return stops;
  }

  /** Move one stop to the top of the parabola through three places; returns how far. */
  move(stops, place, reach, rho) {
    const [low, high] = this.bounds(stops, place);
    const here = stops[place];
    const at = (stop) => this.around(stops, place, Math.min(Math.max(stop, low), high), rho);
    const [before, now, beyond] = [at(here - reach), at(here), at(here + reach)];
    const bend = before - 2 * now + beyond;
    const top = bend < 0 ? here + (reach * (before - beyond)) / (2 * bend) : here;
    const tried = [here, top, here - reach, here + reach].map((stop) => Math.min(Math.max(stop, low), high));
    const best = tried.reduce((found, stop) => (at(stop) > at(found) ? stop : found));
    stops[place] = best;
    return Math.abs(best - here);
  }

  /** Where a stop may lie without touching its neighbours, the limit or the worklife. */
  bounds(stops, place) {
    const isLast = place === stops.length - 1;
    const end = isLast ? this.last : Math.min(stops[place + 1] - this.again, this.worklife - this.commit);
    return [this.begun(stops, place), Math.max(end, this.begun(stops, place))];
  }

  /** The part of a plan's worth that hangs on one stop. */
  around(stops, place, stop, rho) {
    const own = (stop - this.begun(stops, place)) * this.chance(stop);
    if (place === stops.length - 1) return own - rho * this.length(stop);
    const next = stops[place + 1];
    return own + (next - stop - this.again) * this.chance(next);
  }
}
