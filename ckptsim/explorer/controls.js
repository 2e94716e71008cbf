// The sliders and fields: each sets one key of the question, and shows what is wrong with it.

import { escaped } from "./charts.js";
import { FIELDS, PARAMETERS, checkedLaw, lawLike, textOf, valueOf } from "./question.js";
import { LAW_NAMES } from "./laws.js";
import { Mistake } from "./search.js";
import { secondsOf, shown, spelled, spelledSeconds } from "./times.js";

const POSITIONS = 400; // of a slider; the first is none, or 0
const LAW_SHOWN = { none: "never", constant: "always at the same age" };

/** The controls in `place`; `change(key, value)` is called with what a person has set. */
export class Controls {
  constructor(place, change) {
    this.place = place;
    this.change = change;
    const row = (field) => (field.key === "evictions" ? lawRow(field) : plainRow(field));
    const main = FIELDS.filter((field) => !field.more).map(row);
    const more = FIELDS.filter((field) => field.more).map(row);
    place.innerHTML = `${main.join("")}<details><summary>More</summary>${more.join("")}</details>`;
    place.addEventListener("input", (event) => this.onInput(event.target));
    place.addEventListener("change", (event) => this.onChange(event.target));
  }

  /** Show a question's values, but leave alone the field in which a person types. */
  show(question) {
    for (const field of FIELDS) {
      if (field.key === "evictions") this.showLaw(question.evictions);
      else this.showField(field, question[field.key]);
    }
  }

  showField(field, value) {
    const entry = this.find("value", field.key);
    if (field.key === "leave-early") entry.checked = value;
    else if (entry !== document.activeElement) this.setText(entry, textOf(field.key, value) ?? emptyOf(field));
    const slider = this.find("slide", field.key);
    if (slider) setSlider(slider, field, value === null ? 0 : value / 1e9, value === null ? field.none : shown(value));
  }

  setText(entry, text) {
    entry.value = text;
    this.told(entry, "");
  }

  showLaw(law) {
    this.law = law;
    this.find("value", "evictions").value = law.law;
    const box = this.place.querySelector("[data-parameters]");
    if (box.dataset.parameters !== law.law) {
      box.dataset.parameters = law.law;
      box.innerHTML = Object.keys(PARAMETERS[law.law]).map(parameterRow).join("");
    }
    for (const [name, range] of Object.entries(PARAMETERS[law.law])) {
      const entry = this.find("value", `law-${name}`);
      const text = range.plain ? String(+law[name].toPrecision(12)) : spelledSeconds(law[name]);
      if (entry !== document.activeElement) this.setText(entry, text);
      const said = range.plain ? String(+law[name].toPrecision(3)) : shown(Math.round(law[name]) * 1e9);
      setSlider(this.find("slide", `law-${name}`), range, law[name], said);
    }
  }

  find(kind, key) {
    return this.place.querySelector(`#${kind}-${key}`);
  }

  onInput(target) {
    const [kind, ...rest] = target.id.split("-");
    const key = rest.join("-");
    this.guarded(target, () => {
      if (key === "evictions") this.change("evictions", lawLike(target.value, this.law));
      else if (key.startsWith("law-")) this.change("evictions", this.lawWith(key.slice(4), kind, target));
      else this.change(key, kind === "slide" ? slid(key, target) : typed(key, target));
    });
  }

  /** Say what is wrong beside the field, and leave the question as it was. */
  guarded(target, act) {
    try {
      this.told(target, "");
      act();
    } catch (mistake) {
      if (!(mistake instanceof Mistake)) throw mistake;
      this.told(target, mistake.message);
    }
  }

  told(target, message) {
    const note = target.closest(".field").querySelector(".wrong");
    note.textContent = message;
    const entry = target.closest(".field").querySelector("[id^=value]");
    if (message) entry.setAttribute("aria-invalid", "true");
    else entry.removeAttribute("aria-invalid");
  }

  lawWith(name, kind, target) {
    const { plain } = PARAMETERS[this.law.law][name];
    const value = kind === "slide" ? position(target, PARAMETERS[this.law.law][name]) : plain ? Number(target.value) : secondsOf(target.value);
    if (Number.isNaN(value)) throw new Mistake(`“${target.value}” is not a number`);
    return checkedLaw({ ...this.law, [name]: value });
  }

  /** When a person is done with a field it shows what was understood. */
  onChange(target) {
    if (!target.id.startsWith("value") || target.getAttribute("aria-invalid")) return;
    const key = target.id.slice("value-".length);
    const field = FIELDS.find((each) => each.key === key);
    if (field && key !== "evictions" && key !== "leave-early") target.value = textOf(key, valueOf(key, target.value)) ?? emptyOf(field);
  }
}

function emptyOf(field) {
  if (field.key === "seed") return "1";
  return field.none ?? "0s";
}

function typed(key, target) {
  return key === "leave-early" ? target.checked : valueOf(key, target.value);
}

function slid(key, target) {
  const field = FIELDS.find((each) => each.key === key);
  const seconds = position(target, field);
  if (seconds === 0) return field.none ? null : 0;
  return valueOf(key, spelled(seconds * 1e9));
}

function placeOf(value, { from, to }) {
  return 1 + ((POSITIONS - 1) * Math.log(Math.max(value, from) / from)) / Math.log(to / from);
}

/** What a slider says: seconds, or a plain number. */
function position(slider, { from, to, plain }) {
  const place = +slider.value;
  if (place === 0 && slider.dataset.zero) return 0;
  const value = from * (to / from) ** (Math.max(place - 1, 0) / (POSITIONS - 1));
  return plain ? +value.toPrecision(2) : niced(value);
}

function setSlider(slider, range, value, said) {
  // Where the thumb means this already it stays, or rounding would hold it fast under the keys.
  if (position(slider, range) !== value) slider.value = value > 0 ? Math.round(placeOf(value, range)) : 0;
  slider.setAttribute("aria-valuetext", said);
}

/** Seconds rounded to what people say. */
export function niced(seconds) {
  const finest = [[120, 1], [600, 5], [3600, 15], [21600, 60], [86400, 300], [864000, 1800], [Infinity, 7200]];
  const [, step] = finest.find(([below]) => seconds < below);
  return Math.max(Math.round(seconds / step) * step, 1);
}

function plainRow(field) {
  const { key, name, of } = field;
  if (key === "leave-early") {
    return row(key, name, of, `<input type="checkbox" id="value-${key}">`);
  }
  if (key === "seed") return row(key, name, of, textInput(key));
  return row(key, name, of, sliderInput(key, name, true) + textInput(key));
}

function lawRow({ key, name, of }) {
  const options = LAW_NAMES.map((law) => `<option value="${law}">${LAW_SHOWN[law] ?? law}</option>`);
  const select = `<select id="value-${key}">${options.join("")}</select>`;
  return `${row(key, name, of, select)}<div data-parameters></div>`;
}

function parameterRow(name) {
  const key = `law-${name}`;
  return row(key, name, "of the law", sliderInput(key, `${name} of the law`, ["low", "mode"].includes(name)) + textInput(key));
}

function row(key, name, of, inputs) {
  return `<div class="field"><label for="value-${key}">${name} <small>${escaped(of)}</small></label>
    <div class="entry">${inputs}</div><p class="wrong" id="wrong-${key}" role="alert"></p></div>`;
}

function textInput(key) {
  return `<input type="text" id="value-${key}" aria-describedby="wrong-${key}" autocomplete="off" spellcheck="false" inputmode="text">`;
}

function sliderInput(key, name, zero) {
  return `<input type="range" id="slide-${key}" min="${zero ? 0 : 1}" max="${POSITIONS}" ${zero ? 'data-zero="yes"' : ""} aria-label="${name}, slider">`;
}
