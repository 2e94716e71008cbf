// What a lease is worth without sampling fates: ckptsim/exact.py and account.py for constant costs.
//
// One job, one lease: a start, then compute, write, transfer, restart in place, again and again.
// Commit k is safe at age e_k; with S the survival of the time to eviction it commits τ S(e_k), if
// e_k is within the limit. A transfer may outlive the soft kill by the grace. The job leaves by
// itself after a commit past the claim's worklife, or, leaving early, when no other would fit.
//
// Times are whole nanoseconds in a float, exact up to 2^53 of them, 104 days; those of laws and of
// results are seconds. A limit, a worklife or a step that is not there is null.

import { lawOf } from "./laws.js";

export const SECOND = 1e9;
export const NEGLIGIBLE = 1e-13; // a lease without a limit is followed until so few are left
const FARTHEST = 36525 * 86400; // s, a century
const ROUNDS_MAX = 100000; // a lease with a limit is followed for no more commits
const ROUNDS_EACH = 1024; // in one without, later rounds are not reckoned one by one,
const ROUNDS_STRIDE = 16; // but at first for so many, and ever more, at once

// Gauss and Legendre's rules, [node, weight] for the positive half of the nodes, and how long an
// integral may be, beside the age at which it begins, for each to be good to rounding.
const RULES = [
  { within: 1 / 1000, nodes: [[0.5773502691896258, 1]] },
  { within: 1 / 64, nodes: [[0.3399810435848563, 0.6521451548625461], [0.8611363115940526, 0.3478548451374538]] },
  {
    within: 1 / 16,
    nodes: [
      [0.1834346424956498, 0.362683783378362],
      [0.525532409916329, 0.3137066458778873],
      [0.7966664774136267, 0.2223810344533745],
      [0.9602898564975363, 0.1012285362903763],
    ],
  },
];

/** Where slot time goes, in the order in which it is stacked. */
export const CATEGORIES = [
  "useful", "write", "transfer", "restart_in_place", "restart_lease", "input", "vacating",
  "lost_limit", "lost_eviction",
];

/** A question { limit, evictions, grace, gap, worklife, leaveEarly, write, transfer, restartInPlace,
 * restartLease, input, step } made ready. */
export class Solver {
  /** `roundsEach` is how many rounds of a lease without end are reckoned one by one; fewer are
   * enough for a picture. */
  constructor(question, roundsEach = ROUNDS_EACH) {
    Object.assign(this, question);
    this.roundsEach = roundsEach;
    this.limit = question.limit ?? Infinity;
    this.worklife = question.worklife ?? Infinity;
    this.law = lawOf(question.evictions);
    this.first = this.input + this.restartLease; // from the start of a lease to computing
    this.commit = this.write + this.transfer;
    this.again = this.commit + this.restartInPlace; // from the end of computing to the next
    const tail = this.law.quantile(1 - NEGLIGIBLE);
    const none = Math.min(this.limit / SECOND, tail) === Infinity;
    this.horizon = none ? Infinity : Math.min(this.limit / SECOND, FARTHEST, tail);
    this.outliving = Math.min(this.transfer, this.grace);
    this.whole = this.lasting(Infinity);
    this.expiring = this.limit < Infinity ? this.law.survivalLeft(this.limit / SECOND) : 0;
  }

  /** Mean length of a lease that is left at this age, or ends before; seconds. */
  lasting(until) {
    const age = Math.min(until, this.horizon);
    return age === Infinity ? age : this.law.limitedMean(age);
  }

  /** Mean time that a lease spends between two ages (s): what `lasting` gains from one to the other.
   *
   * Late in a long lease the difference would be all rounding, so there it is integrated. */
  during(from, to) {
    const end = Math.min(to, this.horizon);
    if (end <= from) return 0;
    const rule = RULES.find(({ within }) => end - from <= from * within);
    if (this.law.kinks.length > 0 || !rule) return this.lasting(end) - this.lasting(from);
    const [middle, half] = [(end + from) / 2, (end - from) / 2];
    let sum = 0;
    for (const [node, weight] of rule.nodes) {
      sum += weight * (this.law.survival(middle - half * node) + this.law.survival(middle + half * node));
    }
    return half * sum;
  }

  /** The probability of a commit that is safe at this age (ns). */
  chance(safe) {
    if (safe > this.limit) return 0;
    return this.law.survivalLeft((safe - this.outliving) / SECOND);
  }

  /** After a commit later than this (ns) the job is off the slot. */
  threshold(interval) {
    const early = this.leaveEarly && this.limit < Infinity;
    return Math.min(this.worklife, early ? this.limit - this.again - interval : Infinity);
  }

  /** Call `visit(begun, sent, safe, times)` for each round of a lease that nothing cuts short.
   *
   * Ages in ns; each round stands for `times` rounds. Returns when the job leaves, or null. */
  eachRound(interval, visit) {
    const stay = this.threshold(interval);
    const last = Math.min(this.horizon * SECOND, stay);
    const most = Math.floor(Math.max(last, 0) / (interval + this.again)) + 2;
    const endless = Math.min(stay, this.limit) === Infinity;
    const count = Math.min(most, endless ? this.roundsEach : ROUNDS_MAX);
    const round = (number, times) => {
      const begun = this.first + number * (this.again + interval);
      const sent = begun + interval + this.write;
      visit(begun, sent, sent + this.transfer, times, number);
      return sent + this.transfer;
    };
    for (let number = 0; number < count; number++) {
      const safe = round(number, 1);
      if (safe > stay) return safe;
    }
    if (most > count && endless) lateRounds(most, count).forEach((each) => round(...each));
    return null;
  }

  /** What an interval (ns) is worth, means of one lease: times in seconds. */
  value(interval) {
    let [checkpoints, fitting, vacating] = [0, 0, 0];
    const left = this.eachRound(interval, (begun, sent, safe, times) => {
      checkpoints += times * this.chance(safe);
      if (safe <= this.limit) fitting += times;
      if (this.outliving > 0) vacating += times * this.vacating(safe);
    });
    const bounded = Math.min(this.limit, this.threshold(interval)) < Infinity;
    const lease = (left === null ? this.whole : this.lasting(left / SECOND)) + vacating;
    const work = (checkpoints * interval) / SECOND;
    return this.valued({ interval, fitting: bounded ? fitting : null, checkpoints, work, lease });
  }

  /** The same with the shares: of slot time, and `worth`, of slot time and gaps. */
  valued(found) {
    const { work, lease } = found;
    return { ...found, useful: work / lease, worth: work / (lease + this.gap / SECOND) };
  }

  /** What a transfer that ends then and outlives the soft kill adds to a lease; seconds. */
  vacating(safe) {
    const start = (safe - this.transfer) / SECOND;
    const stop = Math.max(start, Math.min(safe, this.limit) / SECOND);
    const grace = this.grace / SECOND;
    const flat = Math.min(grace, stop - start) * this.law.survivalLeft(start);
    return flat - this.during(Math.max(start, stop - grace), stop);
  }

  /** Where the slot time of a lease goes with an interval (ns), by category; mean seconds. */
  account(interval) {
    const during = (from, to) => this.during(from / SECOND, to / SECOND);
    const [computing, again] = [interval / SECOND, this.restartInPlace];
    const spent = Object.fromEntries(CATEGORIES.map((name) => [name, 0]));
    let last = 0; // the restart that comes after the last round, or does not if the job leaves
    const left = this.eachRound(interval, (begun, sent, safe, times) => {
      spent.lost_eviction += times * during(begun, begun + interval);
      spent.write += times * during(sent - this.write, sent);
      spent.transfer += times * during(sent, safe);
      spent.useful += times * this.chance(safe) * computing;
      spent.lost_limit += times * this.lostAtLimit(begun, sent, safe, interval);
      if (this.outliving > 0) spent.vacating += times * this.vacating(safe);
      last = times * during(safe, safe + again);
      spent.restart_in_place += last;
    });
    if (left !== null) spent.restart_in_place -= last;
    spent.input = during(0, this.input);
    spent.restart_lease = during(this.input, this.first);
    spent.lost_eviction = Math.max(spent.lost_eviction - spent.useful - spent.lost_limit, 0);
    return spent;
  }

  /** What leases that their limit ends had computed in this round and lose; mean seconds. */
  lostAtLimit(begun, sent, safe, interval) {
    if (this.limit === Infinity) return 0;
    const computed = Math.min(Math.max(this.limit - begun, 0), interval);
    if (safe <= this.limit) return (this.expiring * (computed - interval)) / SECOND;
    const lost = (this.expiring * computed) / SECOND;
    if (this.grace === 0) return lost;
    // Soft-killed before, with a transfer that only the limit cut off.
    const since = Math.min(Math.max(safe - this.transfer, this.limit - this.grace), this.limit);
    const warned = this.law.survivalLeft(since / SECOND) - this.expiring;
    return lost + (warned * interval) / SECOND;
  }
}

/** Rounds from `each` up to `most`, [number, for how many it stands], ever fewer of them. */
function lateRounds(most, each) {
  const count = Math.floor((Math.log(most / each) * each) / ROUNDS_STRIDE) + 1;
  const numbers = [...new Set(spread(each, most, count).map(Math.floor))];
  const halfway = numbers.slice(1).map((next, n) => (next + numbers[n] + 1) / 2);
  const starts = [each, ...halfway, numbers.at(-1) + 1];
  return numbers.map((number, n) => [number, starts[n + 1] - starts[n]]);
}

/** So many numbers from low to high, evenly on a log scale. */
export function spread(low, high, count) {
  if (count < 2) return [low];
  const ratio = Math.log(high / low) / (count - 1);
  const inner = Array.from({ length: count - 2 }, (_, n) => low * Math.exp(ratio * (n + 1)));
  return [low, ...inner, high];
}
