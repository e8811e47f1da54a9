/** What the service does now, from two readings of its metrics. */

import { histogramBetween, sumOf, sumsBy } from "../../calculations/exposition.js";
import { Badge } from "../../components/badge.js";
import { DataTable } from "../../components/data_table.js";
import { ProblemMessage } from "../../components/problem_message.js";
import { html } from "../../vendor/htm-preact.js";
import { RateChart } from "./rate_chart.js";
import { isWork, useReadings } from "./readings.js";

const STAGES = ["read", "decode", "detect", "landmarks", "align", "quality", "queue", "embed", "gallery", "search", "store", "cluster"];

export function Activity() {
  const { readings, problem, retry } = useReadings();
  const newest = readings.at(-1);
  if (!newest) return html`<${ProblemMessage} problem=${problem} onRetry=${retry} />`;
  const before = readings.length > 1 ? readings[0] : null;
  return html`
    <${ProblemMessage} problem=${problem} onRetry=${retry} />
    <${Tiles} before=${before} newest=${newest} />
    <section class="card">
      <h2>Requests a second, in the last two minutes</h2>
      <${RateChart} readings=${readings} />
    </section>
    <div class="two">
      <section class="card">
        <${Stages} before=${before?.samples ?? null} after=${newest.samples} />
        <p class="small">Recent is since this page was opened, and at most two minutes.</p>
      </section>
      <section class="card"><${Counts} samples=${newest.samples} /></section>
    </div>
  `;
}

function Tiles({ before, newest }) {
  const { samples } = newest;
  const span = before ? newest.atS - before.atS : 0;
  const work = histogramBetween(before?.samples ?? null, samples, "face_request_seconds", isWork);
  const batch = histogramBetween(null, samples, "face_batch_crops");
  const tiles = [
    ["Requests a second", before ? (work.count / span).toFixed(1) : "…"],
    ["Latency, median", milliseconds(work.quantile(0.5))],
    ["Latency, 95 of 100", milliseconds(work.quantile(0.95))],
    ["Photographs in work", sumOf(samples, "face_images_in_flight")],
    ["Faces in the queue", sumOf(samples, "face_queued_crops")],
    ["Faces a call", batch.mean === null ? "–" : batch.mean.toFixed(1)],
    ["Enrolled faces", sumOf(samples, "face_gallery_faces").toLocaleString("en")],
    ["Memory", bytes(sumOf(samples, "face_memory_bytes"))],
  ];
  return html`
    <section class="card" aria-labelledby="now-title">
      <div class="verdict-head">
        <h2 id="now-title">Now</h2>
        <${Badge} tone=${newest.isReady ? "match" : "refused"}>${newest.isReady ? "ready" : "not ready"}<//>
      </div>
      <dl class="figures">${tiles.map(([title, value]) => html`<div><dt>${title}</dt><dd>${value}</dd></div>`)}</dl>
    </section>
  `;
}

function Stages({ before, after }) {
  const rows = STAGES.map((stage) => {
    const isStage = (labels) => labels.stage === stage;
    const recent = histogramBetween(before, after, "face_stage_seconds", isStage);
    return { stage, recent, all: histogramBetween(null, after, "face_stage_seconds", isStage) };
  }).filter(({ all }) => all.count > 0);
  const columns = [
    { title: "Stage", cell: ({ stage }) => stage },
    { title: "Mean, recent", number: true, cell: ({ recent }) => milliseconds(recent.mean) },
    { title: "95 of 100, recent", number: true, cell: ({ recent }) => milliseconds(recent.quantile(0.95)) },
    { title: "Mean since the start", number: true, cell: ({ all }) => milliseconds(all.mean) },
  ];
  return html`<${DataTable} caption="Time in each stage" columns=${columns} rows=${rows} />`;
}

function Counts({ samples }) {
  const decisions = (samples.get("face_decisions_total") ?? []).map(({ labels, value }) => ({
    name: `${labels.decision}: ${labels.outcome}`,
    value,
  }));
  const refusals = [...sumsBy(samples, "face_refusals_total", "code")].map(([name, value]) => ({ name, value }));
  const columns = [
    { title: "What", cell: ({ name }) => name },
    { title: "Number", number: true, cell: ({ value }) => value.toLocaleString("en") },
  ];
  return html`
    <${DataTable} caption="Decisions since the start" columns=${columns} rows=${decisions} empty="No decision yet." />
    <${DataTable} caption="Refused requests since the start" columns=${columns} rows=${refusals} empty="No request was refused." />
  `;
}

function milliseconds(seconds) {
  if (seconds === null) return "–";
  return seconds < 0.01 ? `${(seconds * 1000).toFixed(2)} ms` : `${Math.round(seconds * 1000)} ms`;
}

function bytes(count) {
  return `${Math.round(count / 2 ** 20)} MiB`;
}
