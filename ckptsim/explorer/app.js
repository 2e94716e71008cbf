// The page at work: the question in the address, what is found about it, the pictures, the texts.

import { DARK, LIGHT } from "./charts.js";
import { Controls, niced } from "./controls.js";
import { badputFigure, curveFigure, intervalScale, leasesFigure } from "./figures.js";
import { findAll, ground, headline, price, rowsOf, withInterval, withPlan } from "./found.js";
import { commandLine, fragmentOf, questionIn, scenarioFile, submitLines, textsIn } from "./question.js";
import { Mistake } from "./search.js";
import { shown } from "./times.js";

const FIGURES = { curve: curveFigure, badput: badputFigure, leases: leasesFigure };
const DOWNLOAD_WIDTH = 900;
const PNG_SCALE = 2;
const PLAN_AFTER = 120; // ms in which nothing changes
const ADDRESS_AFTER = 250;
const SNAP = 5; // pixels
const THEMES = ["auto", "light", "dark"];

const element = (id) => document.getElementById(id);
const start = JSON.parse(element("start").textContent);
const page = { question: null, found: null, theme: "auto", isPrinting: false, timers: {} };
const controls = new Controls(element("controls"), (key, value) => {
  ask({ ...page.question, [key]: value }, key === "interval");
});

/** Ask another question; `isInterval` if all that changes is your interval. */
function ask(question, isInterval = false) {
  page.question = question;
  page.isInterval = (page.isInterval ?? true) && isInterval;
  if (page.frame) return;
  page.frame = requestAnimationFrame(() => {
    page.frame = null;
    answer();
  });
}

function answer() {
  const { question, found, isInterval } = page;
  page.isInterval = undefined;
  controls.show(question);
  later("address", ADDRESS_AFTER, writeAddress);
  try {
    const isInside = found && isInterval && isIn(found.window, question.interval);
    page.found = isInside ? withInterval(found, question.interval) : findAll(question);
    if (!isInside) later("plan", PLAN_AFTER, addPlan);
    document.body.classList.remove("unanswered");
    show();
  } catch (mistake) {
    if (!(mistake instanceof Mistake)) throw mistake;
    refuse(mistake.message);
  }
}

function isIn([low, high], interval) {
  return interval === null || (low <= interval && interval <= high);
}

function later(name, time, act) {
  clearTimeout(page.timers[name]);
  page.timers[name] = setTimeout(act, time);
}

function addPlan() {
  page.found = withPlan(page.found);
  show();
}

function refuse(message) {
  clearTimeout(page.timers.plan);
  page.found = null;
  document.body.classList.add("unanswered");
  element("headline").textContent = message;
  element("price").textContent = element("ground").textContent = "";
}

/** Show what was found. */
function show() {
  const { found } = page;
  element("headline").textContent = headline(found);
  element("price").textContent = price(found);
  element("ground").textContent = ground(found);
  element("rows").innerHTML = rowsOf(found).map(tableRow).join("");
  element("leases-told").textContent = found.leasesTold;
  element("badput-told").textContent = found.badputTold;
  draw();
  showDrag(found);
  showTexts();
}

function tableRow([name, ...cells]) {
  return `<tr><th scope="row">${name}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}

function draw() {
  for (const [name, figure] of Object.entries(FIGURES)) {
    const place = element(name);
    place.innerHTML = figure(page.found, inkNow(), Math.max(place.clientWidth, 280));
  }
}

function inkNow() {
  return isDark() && !page.isPrinting ? DARK : LIGHT;
}

function isDark() {
  if (page.theme !== "auto") return page.theme === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

// Your interval: dragged along the curve, or by the slider under it.

function showDrag({ window, mine }) {
  const slider = element("drag");
  const [low, high] = window;
  // Where the thumb means this already it stays, or rounding would hold it fast under the keys.
  if (intervalAt(slider, window) !== mine.interval) {
    slider.value = (1000 * Math.log(mine.interval / low)) / Math.log(high / low);
  }
  slider.setAttribute("aria-valuetext", shown(mine.interval));
  element("drag-value").textContent = shown(mine.interval);
}

function choose(interval) {
  ask({ ...page.question, interval }, true);
}

function intervalAt(slider, [low, high]) {
  return niced((low * (high / low) ** (slider.value / 1000)) / 1e9) * 1e9;
}

function dragged() {
  choose(intervalAt(element("drag"), page.found.window));
}

function pointed(event) {
  const { found } = page;
  const place = element("curve").getBoundingClientRect();
  const at = intervalScale(found, element("curve").clientWidth);
  const x = event.clientX - place.left;
  if (Math.abs(x - at(found.best.interval)) < SNAP) return choose(found.best.interval);
  const [low, high] = found.window;
  const interval = niced(Math.min(Math.max(at.back(x), low), high) / 1e9) * 1e9;
  return choose(Math.min(Math.max(interval, low), high));
}

function listenToCurve() {
  const curve = element("curve");
  curve.addEventListener("pointerdown", (event) => {
    if (!page.found) return;
    curve.setPointerCapture(event.pointerId);
    pointed(event);
  });
  curve.addEventListener("pointermove", (event) => {
    if (page.found && curve.hasPointerCapture(event.pointerId)) pointed(event);
  });
  element("drag").addEventListener("input", dragged);
  element("forget").addEventListener("click", () => choose(null));
}

// The texts to copy, the address, the downloads.

function showTexts() {
  const { question, found } = page;
  element("text-command").value = commandLine(question);
  element("text-scenario").value = scenarioFile(question);
  const interval = found.isMine ? found.mine.interval : found.best.interval;
  const told = `Checkpoint every ${shown(interval)} of computing.`;
  element("text-submit").value = submitLines(question, interval, told);
  element("text-link").value = `${address()}#${fragmentOf(question)}`;
  for (const area of document.querySelectorAll("textarea")) area.rows = area.value.trim().split("\n").length + 1;
}

/** Where the page is; in a frame of a lesson that has it inside, it is also beside that. */
function address() {
  return location.protocol === "blob:" ? "explore.html" : location.href.split("#")[0];
}

function writeAddress() {
  page.fragment = `#${fragmentOf(page.question)}`;
  history.replaceState(null, "", page.fragment);
}

function readAddress() {
  if (location.hash === page.fragment) return;
  try {
    ask(questionIn(location.hash.length > 1 ? textsIn(location.hash.slice(1)) : start.question));
  } catch (mistake) {
    if (!(mistake instanceof Mistake)) throw mistake;
    element("notices").append(document.createElement("li"));
    element("notices").lastChild.textContent = `The page's address asks what it cannot answer: ${mistake.message}.`;
    ask(questionIn(start.question));
  }
}

async function copy(button) {
  const area = element(button.dataset.copies);
  area.select();
  try {
    await navigator.clipboard.writeText(area.value);
  } catch {
    document.execCommand("copy"); // where the clipboard is not open to pages from a disk
  }
  element("copied").textContent = `Copied: ${button.dataset.what}`;
}

function save(name, kind) {
  const svg = FIGURES[name](page.found, LIGHT, DOWNLOAD_WIDTH);
  const blob = new Blob([svg], { type: "image/svg+xml" });
  if (kind === "svg") return download(blob, `${name}.svg`);
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width * PNG_SCALE, image.height * PNG_SCALE];
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((png) => download(png, `${name}.png`));
    URL.revokeObjectURL(image.src);
  };
  image.src = URL.createObjectURL(blob);
  return undefined;
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// The rest of the page.

function nextTheme() {
  page.theme = THEMES[(THEMES.indexOf(page.theme) + 1) % THEMES.length];
  if (page.theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = page.theme;
  element("theme").textContent = `Colours: ${page.theme}`;
  redraw();
}

function redraw() {
  if (page.found) draw();
}

function print(isPrinting) {
  page.isPrinting = isPrinting;
  redraw();
}

function listen() {
  listenToCurve();
  element("theme").addEventListener("click", nextTheme);
  addEventListener("hashchange", readAddress);
  addEventListener("resize", redraw);
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("click", ({ target }) => {
    if (target.dataset.copies) copy(target);
    if (target.dataset.saves && page.found) save(target.dataset.saves, target.dataset.kind);
  });
}

listen();
readAddress();
