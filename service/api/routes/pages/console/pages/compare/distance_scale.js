/** A distance on its scale, with the threshold and the calibrated error rates. */

import { fmrAt, fnmrAt, measuredRange } from "../../calculations/calibration.js";
import { html, useEffect, useRef, useState } from "../../vendor/htm-preact.js";

const HEIGHT = 230;
const TOP = 30;
const BOTTOM = HEIGHT - 28;
const SIDE = 8; // half of the handle of the slider below, so that both are at the same place
const HIGHEST_RATE = 0.5;
const STEPS = 80;
const NAME_PX = 110; // with less, the name of a side would be on that of the threshold

/** Return where the scale ends: two people are seldom farther apart. */
export function endOfScale(distance) {
  return distance !== null && distance > 2.4 ? 4 : 2.5;
}

/** distance: squared L2, or null. threshold: squared L2. calibration: of the model, or null. */
export function DistanceScale({ distance, threshold, calibration }) {
  const frame = useRef(null);
  const width = useWidth(frame);
  const end = endOfScale(distance);
  const x = (value) => SIDE + ((width - 2 * SIDE) * value) / end;
  const matches = distance !== null && distance < threshold;
  return html`
    <div class="scale" ref=${frame}>
      <svg width=${width} height=${HEIGHT} role="img" aria-label=${describe(distance, threshold)}>
        <rect class="scale-match" x=${SIDE} y=${TOP} width=${x(threshold) - SIDE} height=${BOTTOM - TOP} />
        <rect class="scale-other" x=${x(threshold)} y=${TOP} width=${x(end) - x(threshold)} height=${BOTTOM - TOP} />
        ${calibration && html`<${RateCurve} ...${{ calibration, x, rateAt: fnmrAt, kind: "mated" }} />`}
        ${calibration && html`<${RateCurve} ...${{ calibration, x, rateAt: fmrAt, kind: "non-mated" }} />`}
        <${Axis} x=${x} end=${end} hasRates=${Boolean(calibration)} />
        ${x(threshold) > NAME_PX && html`<text class="scale-text" x=${SIDE} y=${TOP - 12}>match</text>`}
        ${x(end) - x(threshold) > NAME_PX &&
        html`<text class="scale-text" x=${x(end)} y=${TOP - 12} text-anchor="end">no match</text>`}
        <line class="scale-threshold" x1=${x(threshold)} x2=${x(threshold)} y1=${TOP - 4} y2=${BOTTOM} />
        <${Label} at=${x(threshold)} width=${width} text=${`threshold ${threshold.toFixed(3)}`} />
        ${distance !== null && html`<${Marker} at=${x(distance)} matches=${matches} />`}
      </svg>
    </div>
  `;
}

function describe(distance, threshold) {
  const measured = distance === null ? "no distance yet" : `the distance is ${distance.toFixed(3)}`;
  return `Scale of distances: ${measured}, the threshold is ${threshold.toFixed(3)}.`;
}

/** Draw one rate over the thresholds at which it was measured, as an area. */
function RateCurve({ calibration, x, rateAt, kind }) {
  const [low, high] = measuredRange(calibration);
  const points = Array.from({ length: STEPS + 1 }, (_, step) => {
    const threshold = Math.min(low + ((high - low) * step) / STEPS, high);
    return [x(threshold), rateHeight(rateAt(calibration, threshold))];
  }).filter(([, y]) => y !== null);
  if (points.length === 0) return null;
  const line = points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" L");
  return html`
    <path class="scale-area" data-kind=${kind} d=${`M${points[0][0]},${BOTTOM} L${line} L${points.at(-1)[0]},${BOTTOM} Z`} />
    <path class="scale-line" data-kind=${kind} d=${`M${line}`} />
  `;
}

function rateHeight(rate) {
  return rate === null ? null : BOTTOM - (BOTTOM - TOP) * Math.min(rate / HIGHEST_RATE, 1);
}

function Axis({ x, end, hasRates }) {
  const marks = Array.from({ length: end * 2 + 1 }, (_, position) => position / 2);
  const rates = hasRates ? [HIGHEST_RATE / 2, HIGHEST_RATE] : [];
  return html`
    ${rates.map((rate) => html`<${RateLine} left=${x(0)} right=${x(end)} rate=${rate} />`)}
    <line class="scale-axis" x1=${x(0)} x2=${x(end)} y1=${BOTTOM} y2=${BOTTOM} />
    ${marks.map((mark) => html`<text class="scale-text" x=${x(mark)} y=${BOTTOM + 20} text-anchor="middle">${mark}</text>`)}
  `;
}

function RateLine({ left, right, rate }) {
  const y = rateHeight(rate);
  return html`
    <line class="scale-grid" x1=${left} x2=${right} y1=${y} y2=${y} />
    <text class="scale-text" x=${right - 6} y=${y + 16} text-anchor="end">${Math.round(rate * 100)} %</text>
  `;
}

function Label({ at, width, text }) {
  const anchor = at < 90 ? "start" : at > width - 90 ? "end" : "middle";
  return html`<text class="scale-text scale-strong" x=${at} y=${TOP - 12} text-anchor=${anchor}>${text}</text>`;
}

function Marker({ at, matches }) {
  return html`
    <g class="scale-marker" data-tone=${matches ? "match" : "unknown"}>
      <line x1=${at} x2=${at} y1=${TOP + 24} y2=${BOTTOM} />
      <circle cx=${at} cy=${TOP + 24} r="8" />
    </g>
  `;
}

/** Return the width of the element, also after it has changed. */
function useWidth(element) {
  const [width, setWidth] = useState(640);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(entry.contentRect.width, 200)));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return width;
}
