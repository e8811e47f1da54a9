/** A long list of which only the rows near the screen are in the page. It may scroll with the page, or in a frame around it. */

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../vendor/htm-preact.js";

const BEYOND_SCREEN_PX = 400;

/**
 * rows: any values. heightOf(row): the height in rem. keyOf(row): what the row is known by. draw(row, position): its content.
 * label: makes it a list for screen readers, whose rows say which of how many they are.
 * pinned: the position of a row that is always in the page, such as the one with the focus.
 */
export function WindowedList({ rows, heightOf, keyOf, draw, label, pinned = null }) {
  const frame = useRef(null);
  const tops = useMemo(() => topsOf(rows, heightOf), [rows]);
  const [first, end] = useVisibleRows(frame, tops);
  const positions = [];
  for (let position = first; position < Math.min(end, rows.length); position += 1) positions.push(position);
  if (pinned !== null && pinned < rows.length && (pinned < first || pinned >= end)) positions.push(pinned);
  return html`
    <div ref=${frame} class="windowed" role=${label && "list"} aria-label=${label} style=${{ height: `${tops[rows.length]}rem` }}>
      ${positions.map((position) => {
        const place = { top: `${tops[position]}rem`, height: `${tops[position + 1] - tops[position]}rem` };
        const item = label ? { role: "listitem", "aria-posinset": position + 1, "aria-setsize": rows.length } : {};
        return html`<div key=${keyOf(rows[position])} class="windowed-row" style=${place} ...${item}>${draw(rows[position], position)}</div>`;
      })}
    </div>
  `;
}

/** Return the width of an element in rem, also after it has changed. */
export function useWidthRem(element) {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const measure = () => setWidth(element.current.clientWidth / remPx());
    const observer = new ResizeObserver(measure);
    observer.observe(element.current);
    measure();
    return () => observer.disconnect();
  }, []);
  return width;
}

/** Return the top of each row in rem, and the end of the last one. */
function topsOf(rows, heightOf) {
  const tops = new Float64Array(rows.length + 1);
  rows.forEach((row, position) => (tops[position + 1] = tops[position] + heightOf(row)));
  return tops;
}

/** Return the positions of the first row near the screen, and of the first one behind it. */
function useVisibleRows(frame, tops) {
  const [range, setRange] = useState([0, 0]);
  const latest = useRef(tops);
  latest.current = tops;
  function look() {
    const found = rowsNearScreen(frame.current, latest.current);
    setRange((before) => (before[0] === found[0] && before[1] === found[1] ? before : found));
  }
  useLayoutEffect(look, [tops]);
  useEffect(() => {
    const observer = new ResizeObserver(look);
    observer.observe(document.documentElement);
    observer.observe(frame.current);
    document.addEventListener("scroll", look, { capture: true, passive: true }); // capture: also of a frame around the list
    return () => {
      observer.disconnect();
      document.removeEventListener("scroll", look, { capture: true });
    };
  }, []);
  return range;
}

function rowsNearScreen(frame, tops) {
  const rem = remPx();
  const start = (-frame.getBoundingClientRect().top - BEYOND_SCREEN_PX) / rem;
  const last = start + (innerHeight + 2 * BEYOND_SCREEN_PX) / rem;
  const first = Math.max(0, positionAt(tops, start) - 1);
  return [first, Math.max(first, positionAt(tops, last))];
}

/** Return the first position whose top is at or below the place. */
function positionAt(tops, place) {
  let [low, high] = [0, tops.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tops[middle] < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

function remPx() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize);
}
