// The best fixed interval, the flat ground around it and the cliffs: ckptsim/search.py.
//
// The value of an interval is a saw-tooth: it drops where one checkpoint fewer fits into a lease.
// It is known to the nanosecond where; each such edge is looked at, a grid between them, and the
// best few are polished.

import { NEGLIGIBLE, SECOND, spread } from "./solver.js";

const GRID = 160; // intervals tried besides the edges, evenly on a log scale
const TEETH_MAX = 400; // edges beyond so many checkpoints a lease are too small to matter
const POLISHED = 3; // of the best found, so many are polished
const CONSIDERED = 0.985; // of the best: what cannot be worth as much is not looked at
const GOLDEN = (Math.sqrt(5) - 1) / 2;
const CLOSE = SECOND / 100; // until the range is as short as this
const WORTH_A_MENTION = 0.001; // of useful fraction
const AS_GOOD_AS_NONE = 1e-4; // of the leases
const CENTURY = 36525 * 86400; // s
const FINEST = SECOND / 10; // of the borders of the flat ground

/** All that is found about a solver's question; throws a Mistake where no interval can work. */
export class Search {
  constructor(solver) {
    this.solver = solver;
    this.step = solver.step || 1;
    this.known = new Map();
    this.span = spanOf(solver);
    this.lowest = this.lookAround();
    this.edges = this.edgesFrom(this.lowest);
    for (const edge of this.edges) [edge, edge + this.step].forEach((each) => this.value(each));
    for (const each of this.curve().sort((a, b) => b.worth - a.worth).slice(0, POLISHED)) {
      this.polish(each.interval);
    }
    this.best = this.curve().reduce((best, each) => (each.worth >= best.worth ? each : best));
    if (this.best.worth === 0) throw new Mistake("No interval can work: nothing is ever committed.");
  }

  /** Value a grid of intervals, from the longest down to those that cannot be good. */
  lookAround() {
    const grid = spread(this.span.low, this.span.high, GRID).map(Math.floor);
    let [best, lowest] = [0, this.span.high];
    while (grid.length > 0 && this.most(lowest) >= CONSIDERED * best) {
      lowest = grid.pop();
      best = Math.max(best, this.value(lowest).worth);
    }
    return lowest;
  }

  /** No interval is worth more: that much is lost to each checkpoint. */
  most(interval) {
    return interval / (interval + this.solver.commit);
  }

  /** The interval, rounded up to whole steps. */
  inSteps(interval) {
    return Math.ceil(interval / this.step) * this.step;
  }

  /** What an interval (ns), rounded up to whole steps, is worth. */
  value(interval) {
    const asked = this.inSteps(interval);
    if (!this.known.has(asked)) this.known.set(asked, this.solver.value(asked));
    return this.known.get(asked);
  }

  /** All values found so far, by interval. */
  curve() {
    return [...this.known.values()].sort((a, b) => a.interval - b.interval);
  }

  /** The last intervals, in whole steps, before one checkpoint fewer fits; ascending. */
  edgesFrom(low) {
    const found = edgesOf(this.solver).map((edge) => Math.floor(edge / this.step) * this.step);
    const within = [...new Set(found)].filter((edge) => low <= edge && edge <= this.span.high);
    return within.sort((a, b) => a - b);
  }

  /** Look for the top between the neighbours that are known, by the golden section. */
  polish(interval) {
    const ordered = this.curve().map((each) => each.interval);
    const place = ordered.indexOf(interval);
    let low = ordered[Math.max(place - 1, 0)];
    let high = ordered[Math.min(place + 1, ordered.length - 1)];
    const worth = (at) => this.solver.value(this.inSteps(Math.floor(at))).worth;
    let inner = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
    let values = inner.map(worth);
    while (high - low > Math.max(2 * this.step, CLOSE)) {
      if (values[0] > values[1]) {
        high = inner[1];
        inner = [high - GOLDEN * (high - low), inner[0]];
        values = [worth(inner[0]), values[0]];
      } else {
        low = inner[0];
        inner = [inner[1], low + GOLDEN * (high - low)];
        values = [values[1], worth(inner[1])];
      }
    }
    [low, ...inner, high].forEach((each) => this.value(Math.floor(each)));
  }

  /** The edges worth a mention: [the value at it, the value just beyond]. */
  cliffs() {
    const pairs = this.edges.map((edge) => [this.value(edge), this.value(edge + this.step)]);
    return pairs.filter(([at, beyond]) => at.worth - beyond.worth > WORTH_A_MENTION);
  }

  /** The ranges of intervals worth at least (1 - margin) of the best: [low, high] in ns. */
  flat(margin) {
    const enough = (1 - margin) * this.best.worth;
    const curve = this.curve();
    const ranges = [];
    for (let n = 0; n < curve.length; n++) {
      if (curve[n].worth < enough) continue;
      const first = n;
      while (n + 1 < curve.length && curve[n + 1].worth >= enough) n++;
      const before = curve[Math.max(first - 1, 0)].interval;
      const after = curve[Math.min(n + 1, curve.length - 1)].interval;
      const low = this.border(before, curve[first].interval, enough);
      ranges.push([low, this.border(after, curve[n].interval, enough)]);
    }
    return ranges;
  }

  /** The last interval from `good` towards `bad` that is still worth enough.
   *
   * By halving, and every other time along the line between the two: between cliffs the curve is
   * all but straight. */
  border(bad, good, enough) {
    const over = (at) => this.solver.value(at).worth - enough;
    let [low, high] = [over(bad), over(good)];
    for (let n = 0; Math.abs(good - bad) > Math.max(this.step, FINEST); n++) {
      const share = n % 2 ? 0.5 : Math.min(Math.max(high / (high - low), 0.01), 0.99);
      const between = Math.floor((good + share * (bad - good)) / this.step) * this.step;
      const middle = between === good || between === bad ? this.inSteps((good + bad) / 2) : between;
      if (middle === good || middle === bad) break;
      const found = over(middle);
      if (found >= 0) [good, high] = [middle, found];
      else [bad, low] = [middle, found];
    }
    return good;
  }
}

/** Something that a person has to change; its message says what, in a sentence. */
export class Mistake extends Error {}

/** The intervals worth looking at, ns. */
export function spanOf(solver) {
  refuseIfEndless(solver);
  const around = solver.first + solver.commit;
  const end = Math.min(solver.limit, solver.horizon * SECOND + solver.outliving);
  let longest = Math.floor(end) - around;
  refuseIfNoneCanWork(solver, longest);
  if (solver.limit === Infinity) {
    const lost = meanBetweenLosses(solver);
    const many = Math.max(5 * lost, 10 * young(solver.again / SECOND, lost));
    longest = Math.min(longest, Math.floor(many * SECOND));
  }
  const { again, step } = solver;
  const low = Math.max(SECOND, Math.min(Math.floor(again / 4), Math.floor(longest / GRID)), step || 1);
  const whole = Math.max(Math.floor(longest / (step || 1)), 1) * (step || 1);
  return { low: Math.min(low, longest), high: whole };
}

function refuseIfEndless(solver) {
  const remains = solver.limit < CENTURY * SECOND ? 0 : solver.law.survivalLeft(CENTURY);
  if (remains < AS_GOOD_AS_NONE || solver.worklife < Infinity) return;
  throw new Mistake("Nothing ends a lease: set a limit or an eviction law.");
}

function refuseIfNoneCanWork(solver, longest) {
  if (longest <= 0) {
    throw new Mistake("No interval can work: restart, write and transfer take longer than any lease.");
  }
  if (solver.again === 0 && !solver.step) {
    throw new Mistake("A checkpoint costs nothing, so the more often the better: set write, transfer or restart.");
  }
  if (solver.step > longest) throw new Mistake("No interval can work: a step is longer than any lease.");
}

/** Where the k-th commit comes just by a limit, a worklife or an atom of the law. */
function edgesOf(solver) {
  const atoms = solver.law.kinks.map((kink) => Math.floor((kink + solver.outliving / SECOND) * SECOND));
  const every = [solver.limit, solver.worklife, ...atoms.filter((atom) => atom < solver.limit)];
  const bounds = every.filter((bound) => 0 < bound && bound < Infinity);
  const start = solver.first - solver.restartInPlace;
  const counts = Array.from({ length: TEETH_MAX - 1 }, (_, n) => n + 1);
  return bounds.flatMap((bound) =>
    counts.map((k) => Math.floor((bound - start - k * solver.again) / k)),
  );
}

/** Mean age at which a slot without a limit is evicted; seconds. */
export function meanBetweenLosses(solver) {
  const { law } = solver;
  return law.mean === Infinity ? Infinity : law.limitedMean(Math.min(CENTURY, law.quantile(1 - NEGLIGIBLE)));
}

/** Young's interval √(2cM) (1974), in the unit of both. */
export function young(cost, mean) {
  return Math.sqrt(2 * cost * mean);
}

/** Daly's first-order interval √(2c(M + R)) - c (2006). */
export function daly(cost, mean, restart) {
  return Math.max(0, Math.sqrt(2 * cost * (mean + restart)) - cost);
}
