/** The requests a second between each two readings. */

import { sumOf } from "../../calculations/exposition.js";
import { html } from "../../vendor/htm-preact.js";
import { isWork } from "./readings.js";

const SPAN_S = 120;
const WIDTH = 1000;
const HEIGHT = 120;

export function RateChart({ readings }) {
  const rates = ratesOf(readings);
  const highest = Math.max(1, ...rates.map(({ rate }) => rate));
  const newestS = readings.at(-1).atS;
  const points = rates.map(({ atS, rate }) => {
    const x = WIDTH - (WIDTH * (newestS - atS)) / SPAN_S;
    return `${x.toFixed(1)},${(HEIGHT - ((HEIGHT - 4) * rate) / highest).toFixed(1)}`;
  });
  const now = rates.length > 0 ? rates.at(-1).rate.toFixed(1) : "not known yet";
  return html`
    <div class="rate-chart">
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${`Requests a second now: ${now}`}>
        ${points.length > 1 && html`<path d=${`M${points.join(" L")}`} />`}
      </svg>
      <p class="small"><span>2 minutes ago</span><span>highest: ${highest.toFixed(1)}</span><span>now</span></p>
    </div>
  `;
}

function ratesOf(readings) {
  const counts = readings.map(({ atS, samples }) => ({ atS, count: sumOf(samples, "face_request_seconds_count", isWork) }));
  return counts.slice(1).map(({ atS, count }, position) => {
    const before = counts[position];
    return { atS, rate: Math.max(count - before.count, 0) / (atS - before.atS) };
  });
}
