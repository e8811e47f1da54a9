/** Which model decides, and by which thresholds. */

import { fmrAt, fnmrAt, inWords } from "../../calculations/calibration.js";
import { html } from "../../vendor/htm-preact.js";

/** model: as /model returns it. */
export function ModelCard({ model }) {
  const { threshold, calibration } = model;
  const rows = [
    ["Model", model.name],
    ["Network", model.architecture],
    ["Trained on", model.training],
    ["Licence", model.licence],
    ["Threshold of /verify", describeThreshold(threshold, calibration)],
    ["Threshold of /identify", model.identification_threshold ?? "none"],
    ["Compatible models", model.compatible_with.map(({ name }) => name).join(", ") || "none"],
    ["Id", html`<code>${model.id}</code>`],
  ];
  return html`
    <section class="card" aria-labelledby="model-title">
      <h2 id="model-title">Model</h2>
      <dl class="facts">${rows.map(([title, value]) => html`<div><dt>${title}</dt><dd>${value}</dd></div>`)}</dl>
    </section>
  `;
}

function describeThreshold(threshold, calibration) {
  const fmr = calibration && fmrAt(calibration, threshold);
  const fnmr = calibration && fnmrAt(calibration, threshold);
  const rates = fmr && fnmr ? `: two people match in ${inWords(fmr)}, one person does not in ${inWords(fnmr)}` : "";
  return `${threshold}${rates}`;
}
