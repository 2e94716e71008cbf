// One lease, second by second: what a job does with it, and what becomes of that.

import { SECOND } from "./solver.js";

const ROUNDS_MOST = 3000; // of a lease that is drawn

/** What happens in a lease that is taken back at the age `fate` (ns), Infinity for never.
 *
 * `intervalOf(n)` is how long (ns) the job computes in round n, Infinity for as long as it may; it
 * leaves after a commit later than `stay`. Returns { segments: [{ kind, from, to }], commits, end,
 * cause, work }, ages in ns; `kind` is a category of the solver's account. */
export function leaseOf(solver, intervalOf, fate, stay) {
  const lease = new Lease(solver, fate);
  lease.spend("input", solver.input);
  lease.spend("restart_lease", solver.restartLease);
  for (let n = 0; n < ROUNDS_MOST && lease.cause === null; n++) {
    if (n > 0) lease.spend("restart_in_place", solver.restartInPlace);
    lease.round(intervalOf(n));
    if (lease.cause === null && lease.age > stay) lease.cause = "left";
  }
  const { segments, commits, age, cause, work } = lease;
  return { segments, commits, end: age, cause, work };
}

class Lease {
  constructor(solver, fate) {
    this.solver = solver;
    this.fate = fate;
    this.end = Math.min(fate, solver.limit);
    this.segments = [];
    this.commits = [];
    this.age = 0;
    this.work = 0;
    this.cause = null;
  }

  /** Spend so long on something, or until the lease is over. */
  spend(kind, time) {
    if (this.cause !== null) return;
    const isCut = this.age + time > this.end;
    const to = isCut ? this.end : this.age + time;
    if (to > this.age) this.segments.push({ kind, from: this.age, to });
    this.age = to;
    if (isCut) this.cause = this.fate <= this.solver.limit ? "eviction" : "limit";
  }

  round(interval) {
    const place = this.segments.length;
    this.spend("useful", interval);
    this.spend("write", this.solver.write);
    if (this.cause === null) this.transfer();
    if (this.commits.at(-1) === this.age && this.cause !== "limit") this.work += interval;
    else if (this.segments[place]?.kind === "useful") this.segments[place].kind = `lost_${this.cause}`;
  }

  /** A transfer may outlive the soft kill by the grace. */
  transfer() {
    const safe = this.age + this.solver.transfer;
    this.spend("transfer", this.solver.transfer);
    if (this.cause === "eviction") {
      const killed = Math.min(this.fate + this.solver.grace, this.solver.limit);
      const to = Math.min(safe, killed);
      if (to > this.age) this.segments.push({ kind: "vacating", from: this.age, to });
      this.age = to;
      if (safe > killed) return;
    }
    if (this.cause !== "limit") this.commits.push(safe);
  }
}

/** So many lifetimes of slots (ns) drawn from the law, the same for the same seed. */
export function fates(solver, count, seed) {
  const draw = uniform(seed);
  return Array.from({ length: count }, () => Math.round(solver.law.quantile(draw()) * SECOND));
}

/** Uniform numbers in [0, 1) from a seed (Mulberry32, by T. Ettinger). */
function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
