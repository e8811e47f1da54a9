/** What a distance means at a threshold, in a picture and in words. */

import { fmrAt, fnmrAt, inWords, measuredRange, thresholdAtFmr } from "../../calculations/calibration.js";
import { Badge } from "../../components/badge.js";
import { useGiven } from "../../state.js";
import { html } from "../../vendor/htm-preact.js";
import { DistanceScale, endOfScale } from "./distance_scale.js";

const RATES = [0.01, 0.001, 0.0001, 0.00001];

/** answer: of /verify. model: of /model. */
export function Verdict({ answer, model }) {
  const [chosen, setThreshold] = useGiven("compare.threshold", null);
  const threshold = chosen ?? answer.threshold;
  const { distance } = answer;
  const { calibration } = model;
  const matches = distance < threshold;
  return html`
    <section class="card verdict" aria-labelledby="verdict-title">
      <div class="verdict-head" aria-live="polite">
        <h2 id="verdict-title">${matches ? "The same person" : "Two different people"}</h2>
        <${Badge} tone=${matches ? "match" : "unknown"}>${matches ? "match" : "no match"}<//>
      </div>
      <dl class="figures">
        <div><dt>Distance</dt><dd>${distance.toFixed(3)}</dd></div>
        <div><dt>Threshold</dt><dd>${threshold.toFixed(3)}</dd></div>
        <div><dt>Score at the default threshold</dt><dd>${answer.score.toFixed(0)} <span class="small">of 100</span></dd></div>
      </dl>
      <${DistanceScale} ...${{ distance, threshold, calibration }} />
      <${Threshold} ...${{ threshold, setThreshold, end: endOfScale(distance), preset: answer.threshold, calibration }} />
      ${calibration && html`<${Legend} calibration=${calibration} />`}
      <${Meaning} ...${{ distance, threshold, calibration }} />
    </section>
  `;
}

/** Let the user move the threshold, or choose it by an error rate. */
function Threshold({ threshold, setThreshold, end, preset, calibration }) {
  const reached = calibration ? RATES.filter((rate) => thresholdAtFmr(calibration, rate) !== null) : [];
  return html`
    <div class="threshold">
      <label class="field">
        <span>Threshold: a smaller distance is a match</span>
        <input
          type="range"
          min="0"
          max=${end}
          step="0.001"
          value=${threshold}
          onInput=${(event) => setThreshold(Number(event.target.value))}
        />
      </label>
      <div class="actions choices" role="group" aria-label="Thresholds to choose">
        <button onClick=${() => setThreshold(null)}>Default (${preset.toFixed(3)})</button>
        ${reached.map(
          (rate) =>
            html`<button onClick=${() => setThreshold(thresholdAtFmr(calibration, rate))}>FMR ${inWords(rate)}</button>`,
        )}
      </div>
    </div>
  `;
}

function Legend({ calibration }) {
  const [low, high] = measuredRange(calibration);
  return html`
    <ul class="legend small">
      <li><span class="key" data-kind="mated"></span>FNMR: pairs of one person that do not match</li>
      <li><span class="key" data-kind="non-mated"></span>FMR: pairs of two people that match</li>
      <li>Measured at thresholds from ${low} to ${high}</li>
    </ul>
  `;
}

/** Say in words how often the threshold is wrong, and how rare the distance is between two people. */
function Meaning({ distance, threshold, calibration }) {
  if (!calibration) return html`<p>The card of this model has no error rates, so it is not known how often it is wrong.</p>`;
  const [fmr, fnmr, rarity] = [fmrAt(calibration, threshold), fnmrAt(calibration, threshold), fmrAt(calibration, distance)];
  const [low, high] = measuredRange(calibration);
  return html`
    <div class="meaning">
      <p>${describeRarity(distance, rarity, calibration, low)}</p>
      ${fmr === null
        ? html`<p>The error rates were measured for thresholds from ${low} to ${high}. At this one they are not known.</p>`
        : html`<p>At this threshold, two people match by mistake in <strong>${inWords(fmr)}</strong> comparisons${fnmr !== null &&
            html`, and two photographs of one person do not match in <strong>${inWords(fnmr)}</strong>`}.</p>`}
      <p class="small">
        Measured on ${calibration.measured_on}. A match is the result of a measurement, and no proof.
      </p>
    </div>
  `;
}

function describeRarity(distance, rarity, calibration, low) {
  if (rarity !== null) return html`Two different people are this near in <strong>${inWords(rarity)}</strong> comparisons.`;
  if (distance < low) {
    return html`Two different people are this near in fewer than <strong>${inWords(calibration.rates[0].fmr)}</strong> comparisons.`;
  }
  return html`This is a usual distance between <strong>two different people</strong>.`;
}
