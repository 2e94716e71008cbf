// The question that the page asks: its fields, the texts that stand for it, and what the solver takes.
//
// A question is { limit, evictions, ... } by the keys of FIELDS: times in ns, null for none, and
// the law as { law, ...parameters } with its times in seconds. The same keys are the flags of
// `ckptsim plan` and the names in the page's address.

import { gammaFunction } from "./special.js";
import { LAW_NAMES, lawOf } from "./laws.js";
import { Mistake, meanBetweenLosses } from "./search.js";
import { nanosecondsOf, secondsOf, spelled, spelledSeconds } from "./times.js";

const LONGEST = 100 * 86400; // s: times in ns are exact up to 104 days

// `from` and `to` are the ends of a slider, in seconds; `none` tells what is there without a value.
export const FIELDS = [
  { key: "limit", at: "slots.limit", name: "Runtime limit", of: "the longest lease", from: 600, to: 864000, none: "none" },
  { key: "evictions", at: "slots.evictions", name: "Evictions", of: "time from the start of a lease until the slot is taken back" },
  { key: "write", at: "job.write", name: "Write", of: "to write a checkpoint", from: 1, to: 7200 },
  { key: "transfer", at: "job.transfer", name: "Transfer", of: "to move it to the access point", from: 1, to: 7200 },
  { key: "restart", at: "job.restart", name: "Restart", of: "from starting the program to computing", from: 1, to: 7200 },
  { key: "gap", at: "slots.gap", name: "Gap", of: "from losing a slot to the next lease", from: 1, to: 86400 },
  { key: "claim-worklife", at: "slots.claim_worklife", name: "Claim worklife", of: "a checkpoint later than this ends the lease", from: 60, to: 172800, none: "none", zero: true },
  { key: "step", at: "job.step", name: "Step", of: "the job can only checkpoint after whole steps", from: 1, to: 21600, none: "none" },
  { key: "interval", at: "job.interval", name: "Your interval", of: "computing between two checkpoints", from: 30, to: 864000, none: "the best" },
  { key: "restart-lease", at: "job.restart_lease", name: "Restart in a new lease", of: "if it takes another time", from: 1, to: 7200, none: "as restart", zero: true, more: true },
  { key: "input", at: "job.input", name: "Input transfer", of: "at the start of each lease", from: 1, to: 7200, more: true },
  { key: "grace", at: "slots.grace", name: "Grace", of: "from the soft kill of an eviction to the hard kill", from: 1, to: 3600, more: true },
  { key: "leave-early", at: "job.leave_early", name: "Leave early", of: "the job gives the slot back when no further checkpoint would fit", more: true },
  { key: "seed", at: "seed", name: "Seed", of: "of the sampled leases", more: true },
];

const MEAN = { from: 600, to: 2592000 };
// The parameters of each law, with the ends of a slider; `plain` are numbers, not times.
export const PARAMETERS = {
  none: {},
  constant: { value: MEAN },
  exponential: { mean: MEAN },
  weibull: { shape: { plain: true, from: 0.2, to: 20 }, mean: MEAN },
  lognormal: { median: MEAN, sigma: { plain: true, from: 0.05, to: 4 } },
  loglogistic: { median: MEAN, shape: { plain: true, from: 1.05, to: 20 } },
  gamma: { mean: MEAN, cv: { plain: true, from: 0.05, to: 5 } },
  hyperexponential: { p: { plain: true, from: 0.01, to: 0.99 }, mean1: MEAN, mean2: MEAN },
  uniform: { low: { ...MEAN, zero: true }, high: MEAN },
  triangular: { low: { ...MEAN, zero: true }, mode: { ...MEAN, zero: true }, high: MEAN },
  bathtub: { a: { plain: true, from: 0.05, to: 1 }, tau1: MEAN, tau2: MEAN, b: MEAN },
};

const BARE = ["constant", "uniform", "triangular"]; // whose parameters need no names

/** The law of this name that has about the mean of another. */
export function lawLike(name, other) {
  const mean = Math.round(lawOf(other).mean === Infinity ? 43200 : lawOf(other).mean);
  const of = (share) => Math.round(mean * share);
  return {
    none: { law: name },
    constant: { law: name, value: mean },
    exponential: { law: name, mean },
    weibull: { law: name, shape: 0.7, mean },
    lognormal: { law: name, median: of(0.6), sigma: 1 },
    loglogistic: { law: name, median: of(0.64), shape: 2 },
    gamma: { law: name, mean, cv: 1.5 },
    hyperexponential: { law: name, p: 0.7, mean1: of(0.25), mean2: of(2.75) },
    uniform: { law: name, low: 0, high: of(2) },
    triangular: { law: name, low: 0, mode: mean, high: of(2) },
    bathtub: { law: name, a: 0.45, tau1: of(0.08), tau2: of(0.065), b: of(2) },
  }[name];
}

/** What a key's text means; throws a Mistake. */
export function valueOf(key, text) {
  const field = FIELDS.find((each) => each.key === key);
  if (key === "evictions") return checkedLaw(lawIn(text));
  if (key === "leave-early") return text === "yes";
  if (key === "seed") return seedIn(text);
  if (["", "none", field.none].includes(text.trim())) return field.none ? null : 0;
  const ns = nanosecondsOf(text);
  if (ns > LONGEST * 1e9) throw new Mistake(`“${text}” is more than 100 days, the most this page takes`);
  return ns === 0 && field.none && !field.zero ? null : ns;
}

function seedIn(text) {
  if (!/^\d{1,9}$/.test(text.trim())) throw new Mistake(`“${text}” is no seed; write for example 1`);
  return +text;
}

/** The text that means a key's value; null for what need not be said. */
export function textOf(key, value) {
  if (key === "evictions") return lawText(value);
  if (key === "leave-early") return value ? "yes" : null;
  if (key === "seed") return value === 1 ? null : String(value);
  const usual = FIELDS.find((field) => field.key === key).none ? null : 0;
  return value === usual ? null : spelled(value);
}

function lawIn(text) {
  const call = /^\s*([a-z]+)\s*(?:\((.*)\))?\s*$/i.exec(text);
  const name = call?.[1].toLowerCase();
  if (!call || !LAW_NAMES.includes(name)) {
    if (call?.[2] !== undefined) throw new Mistake(`“${text}” is no law that this page knows`);
    return { law: "exponential", mean: secondsOf(text) };
  }
  const parts = (call[2] ?? "").split(",").filter((part) => part.trim());
  const names = Object.keys(PARAMETERS[name]);
  return asByMean({
    law: name,
    ...Object.fromEntries(parts.map((part, n) => parameterIn(name, names[n], part))),
  });
}

function parameterIn(law, place, part) {
  const [name, text] = part.includes("=") ? part.split("=").map((each) => each.trim()) : [place, part];
  return [name, PARAMETERS[law][name]?.plain ? numberIn(text) : secondsOf(text)];
}

function numberIn(text) {
  const found = Number(text);
  if (text.trim() === "" || Number.isNaN(found)) throw new Mistake(`“${text}” is not a number`);
  return found;
}

/** A Weibull by its mean, as the page shows it. */
function asByMean({ scale, ...law }) {
  return scale === undefined ? law : { ...law, mean: scale * gammaFunction(1 + 1 / law.shape) };
}

/** The law, if its parameters make one; else throws a Mistake. */
export function checkedLaw(law) {
  for (const [name, { plain, from, to, zero }] of Object.entries(PARAMETERS[law.law])) {
    const value = law[name];
    if (value === undefined) throw new Mistake(`${law.law}: ${name} is missing`);
    if (plain && (value < from || value > to)) {
      throw new Mistake(`${law.law}: ${name} must be from ${from} to ${to}, the most this page takes`);
    }
    if (!plain && (value < 0 || (value === 0 && !zero))) throw new Mistake(`${law.law}: ${name} must be longer than 0`);
  }
  const { low, mode = low, high } = law;
  if (low > mode || mode > high || low === high) {
    if (high !== undefined) throw new Mistake(`${law.law}: its times must ascend`);
  }
  return law;
}

function lawText({ law, ...parameters }) {
  const named = Object.keys(PARAMETERS[law]).map((name) => {
    const value = parameters[name];
    const text = PARAMETERS[law][name].plain ? value : spelledSeconds(value);
    return BARE.includes(law) ? text : `${name}=${text}`;
  });
  return named.length ? `${law}(${named.join(", ")})` : law;
}

/** The question that texts by key mean, those left out as usual; throws a Mistake. */
export function questionIn(texts) {
  return Object.fromEntries(
    FIELDS.map(({ key }) => [key, valueOf(key, texts[key] ?? { evictions: "none", seed: "1" }[key] ?? "")]),
  );
}

/** The texts by key that mean a question. */
export function textsOf(question) {
  const told = FIELDS.filter(({ key }) => key !== "restart-lease" || question[key] !== question.restart);
  const texts = told.map(({ key }) => [key, textOf(key, question[key])]);
  return Object.fromEntries(texts.filter(([, text]) => text !== null));
}

/** The question as solver.js takes it. */
export function solverQuestion(question) {
  return {
    limit: question.limit,
    evictions: question.evictions,
    grace: question.grace,
    gap: question.gap,
    worklife: question["claim-worklife"],
    leaveEarly: question["leave-early"],
    write: question.write,
    transfer: question.transfer,
    restartInPlace: question.restart,
    restartLease: question["restart-lease"] ?? question.restart,
    input: question.input,
    step: question.step,
  };
}

/** The part of the page's address after #, which `textsIn` reads again. */
export function fragmentOf(question) {
  const coded = (text) => text.replace(/[%&+#"<>]/g, encodeURIComponent).replaceAll(" ", "+");
  return Object.entries(textsOf(question)).map(([key, text]) => `${key}=${coded(text)}`).join("&");
}

/** The texts by key that the part of an address after # holds. */
export function textsIn(fragment) {
  const parts = fragment.split("&").filter((part) => part.includes("="));
  return Object.fromEntries(parts.map((part) => {
    const key = part.split("=", 1)[0];
    return [key, decoded(key, part.slice(key.length + 1))];
  }));
}

function decoded(key, text) {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new Mistake(`${key}: “${text}” is no part of an address; write for example write=4min`);
  }
}

/** The question as a command line. */
export function commandLine(question) {
  const flags = Object.entries(textsOf(question)).map(([key, text]) => {
    if (key === "leave-early") return "--leave-early";
    return `--${key} ${/[^\w.:]/.test(text) ? `'${text}'` : text}`;
  });
  return ["ckptsim plan", ...flags].join(" ");
}

/** The question as a scenario file. */
export function scenarioFile(question) {
  const texts = textsOf(question);
  const lines = (table) =>
    FIELDS.filter(({ key, at }) => at.startsWith(`${table}.`) && key in texts).map(
      ({ key, at }) => `${at.slice(table.length + 1)} = ${JSON.stringify(texts[key])}`,
    );
  const seed = `seed = ${question.seed}`;
  return ['name = "explored"', seed, "", "[job]", ...lines("job"), "", "[slots]", ...lines("slots"), ""].join("\n");
}

/** Lines for an HTCondor submit file of a program that checkpoints every `interval` (ns). */
export function submitLines(question, interval, answer) {
  return [
    `# ${answer}`,
    `# From: ${commandLine(question)}`,
    `my_interval = ${Math.floor(interval / 1e9)}`,
    "# Your program is told how many seconds to compute between two checkpoints; it exits with 85",
    "# when it has written one, and goes on from it when it is started again.",
    "arguments                 = --checkpoint-every $(my_interval)",
    "checkpoint_exit_code      = 85",
    "transfer_checkpoint_files = my-program.checkpoint",
    "should_transfer_files     = YES",
    "when_to_transfer_output   = ON_EXIT",
    "",
  ].join("\n");
}

/** The formulas' mean between losses and costs for a solver's question, in seconds. */
export function classicTerms(solver) {
  return {
    mean: meanBetweenLosses(solver),
    cost: solver.again / 1e9,
    restart: solver.first / 1e9,
  };
}
