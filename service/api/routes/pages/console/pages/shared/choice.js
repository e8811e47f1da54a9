/** The choice of one of many: the user writes a part of the name, and takes one of a few that fit. */

import { html, useMemo, useState } from "../../vendor/htm-preact.js";
import { fold } from "./searching.js";

const MOST_SHOWN = 7;

/** options: `[{ id, title, note }]`. value: the chosen id, or null. onChange: called with an id. */
export function Choice({ label, options, value, onChange }) {
  const [text, setText] = useState("");
  const found = useMemo(() => find(options, text), [options, text]);
  return html`
    <label class="field">
      <span>${label}</span>
      <input type="search" value=${text} onInput=${(event) => setText(event.target.value)} placeholder="Search" spellcheck="false" />
    </label>
    <fieldset class="choice">
      <legend class="small">${describe(found.length, options.length)}</legend>
      ${found.slice(0, MOST_SHOWN).map(
        ({ id, title, note }) => html`
          <label key=${id} class="check">
            <input type="radio" name="choice" checked=${id === value} onChange=${() => onChange(id)} />
            <span class="choice-text">${title} <span class="small">${note}</span></span>
          </label>
        `,
      )}
    </fieldset>
  `;
}

function find(options, text) {
  const wanted = fold(text);
  return options.filter(({ id, title }) => fold(`${title} ${id}`).includes(wanted));
}

function describe(found, all) {
  if (found === 0) return all === 0 ? "There is no other one." : "None has this name.";
  return found > MOST_SHOWN ? `The first ${MOST_SHOWN} of ${found.toLocaleString("en")}. Write more to find others.` : "Choose one:";
}
