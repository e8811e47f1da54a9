/** The subjects of a collection, with a search. Up and Down move along the list; Home and End go to its ends. */

import { beforeAnotherKey } from "../../access_key.js";
import { useKept } from "../../state.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../vendor/htm-preact.js";
import { fold } from "../shared/searching.js";
import { WindowedList } from "../shared/windowed_list.js";
import { MOST_SUBJECTS } from "./subjects_store.js";

const ROW_REM = 3.5;
const PAGE_ROWS = 8;
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE_ROWS, PageUp: -PAGE_ROWS, Home: -Infinity, End: Infinity };

/** address: of the collection. items: subjects. chosen: the id of one, or undefined. */
export function SubjectList({ address, items, isComplete, isLoading, chosen }) {
  const [text, setText] = useKept(`people.search.${address}`, "");
  const found = useMemo(() => search(items, text), [items, text]);
  return html`
    <section class="card subjects" aria-label="Subjects">
      <label class="field">
        <span>Find a subject</span>
        <input type="search" value=${text} onInput=${(event) => setText(event.target.value)} placeholder="Name or id" spellcheck="false" />
      </label>
      <p class="small" role="status">${describe({ found: found.length, all: items.length, text, isComplete, isLoading })}</p>
      ${found.length > 0 && html`<${Rows} ...${{ address, found, chosen, text }} />`}
      ${items.length >= MOST_SUBJECTS && !isComplete && text && html`<a href=${`${address}/${encodeURIComponent(text)}`}>Open the id ${text}</a>`}
    </section>
  `;
}

/** text: what was searched. Another search begins at the top. */
function Rows({ address, found, chosen, text }) {
  const frame = useRef(null);
  const [active, setActive] = useState(0);
  const current = Math.min(active, found.length - 1);
  useEffect(() => setActive(0), [text]);
  useKeptScroll(frame, `${address} ${text}`, chosen);
  const before = useRef(chosen);
  useEffect(() => {
    const isBack = before.current !== undefined && chosen === undefined && document.activeElement === document.body;
    if (isBack) focusRow(frame.current, current);
    before.current = chosen;
  }, [chosen]);
  function press(event) {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(found.length - 1, current + step));
    setActive(next);
    focusRow(frame.current, next);
  }
  return html`
    <div ref=${frame} class="subjects-frame" onKeyDown=${press}>
      <${WindowedList}
        label="Subjects"
        rows=${found}
        heightOf=${() => ROW_REM}
        keyOf=${({ id }) => id}
        pinned=${current}
        draw=${(subject, position) => html`
          <a
            class="subject"
            href=${`${address}/${encodeURIComponent(subject.id)}`}
            aria-current=${subject.id === chosen ? "true" : undefined}
            tabindex=${position === current ? 0 : -1}
            data-position=${position}
            onFocus=${() => setActive(position)}
          >
            <span class="initials" aria-hidden="true">${initialsOf(nameOf(subject))}</span>
            <span class="subject-name">${nameOf(subject)}${subject.name && subject.name !== subject.id && html`<small>${subject.id}</small>`}</span>
            <span class="small">${countFaces(subject.faces)}</span>
          </a>
        `}
      />
    </div>
  `;
}

/** Scroll the row to the screen, and focus it when it is in the page. */
function focusRow(frame, position) {
  const find = () => frame.querySelector(`[data-position="${position}"]`);
  const rowPx = parseFloat(getComputedStyle(document.documentElement).fontSize) * ROW_REM;
  if (position * rowPx < frame.scrollTop) frame.scrollTop = position * rowPx;
  const bottom = (position + 1) * rowPx - frame.clientHeight;
  if (bottom > frame.scrollTop) frame.scrollTop = bottom;
  requestAnimationFrame(() => requestAnimationFrame(() => find()?.focus({ preventScroll: true })));
}

const scrolls = new Map();

beforeAnotherKey(() => scrolls.clear());

/** Keep how far the list is scrolled, for when the user comes back. While a chosen subject hides the list, it forgets that. */
function useKeptScroll(frame, name, chosen) {
  useLayoutEffect(() => {
    const element = frame.current;
    element.scrollTop = scrolls.get(name) ?? 0;
    const keep = () => scrolls.set(name, element.scrollTop);
    element.addEventListener("scroll", keep, { passive: true });
    return () => element.removeEventListener("scroll", keep);
  }, [name, chosen]);
}

/** Return the name of a subject for people. */
export function nameOf({ name, id }) {
  return name || id;
}

export function countFaces(faces) {
  return faces === 1 ? "1 face" : `${faces.toLocaleString("en")} faces`;
}

function initialsOf(name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  return [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...(word ?? "")][0] ?? "").join("").toUpperCase();
}

function search(items, text) {
  const wanted = fold(text.trim());
  return wanted === "" ? items : items.filter((subject) => fold(`${subject.name ?? ""} ${subject.id}`).includes(wanted));
}

function describe({ found, all, text, isComplete, isLoading }) {
  if (all === 0) return isComplete ? "No subject yet." : isLoading ? "Loading …" : "";
  const known = all === 1 ? "1 subject" : `${all.toLocaleString("en")} subjects`;
  const count = text ? `${found.toLocaleString("en")} of ${known}` : known;
  if (isComplete) return count;
  return all >= MOST_SUBJECTS ? `${count}. There are more: write a whole id to open it.` : `${count}, loading …`;
}
