/** The metrics of the service: the text format of Prometheus, and what is computed of two readings. */

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Return all samples by name: `Map(name -> [{ labels, value }])`. */
export function parseExposition(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    const [, name, labels, value] = line.match(SAMPLE) ?? [];
    if (name === undefined) continue;
    if (!samples.has(name)) samples.set(name, []);
    samples.get(name).push({ labels: parseLabels(labels ?? ""), value: numberOf(value) });
  }
  return samples;
}

/** Return the sum of the samples of a name. keep: which of their labels count. */
export function sumOf(samples, name, keep = () => true) {
  return (samples.get(name) ?? []).filter(({ labels }) => keep(labels)).reduce((sum, { value }) => sum + value, 0);
}

/** Return the sums by the value of one label: `Map(value -> sum)`. */
export function sumsBy(samples, name, label, keep = () => true) {
  const sums = new Map();
  for (const { labels, value } of samples.get(name) ?? []) {
    if (keep(labels)) sums.set(labels[label], (sums.get(labels[label]) ?? 0) + value);
  }
  return sums;
}

/**
 * Return `{ count, mean, quantile(q) }` of a histogram, in its unit, between two readings. before: null: since the start.
 * The mean and the quantiles are null if nothing was counted. A quantile is interpolated in its bucket, as Prometheus does.
 */
export function histogramBetween(before, after, name, keep = () => true) {
  const change = (suffix, only = keep) => sumOf(after, name + suffix, only) - (before ? sumOf(before, name + suffix, only) : 0);
  const count = change("_count");
  const bounds = [...sumsBy(after, `${name}_bucket`, "le", keep).keys()].map(numberOf).sort((a, b) => a - b);
  const counts = bounds.map((bound) => change("_bucket", (labels) => keep(labels) && numberOf(labels.le) === bound));
  return {
    count,
    mean: count > 0 ? change("_sum") / count : null,
    quantile: (q) => (count > 0 ? quantileOf(bounds, counts, q * count) : null),
  };
}

function quantileOf(bounds, counts, rank) {
  const bucket = counts.findIndex((upTo) => upTo >= rank);
  const low = bucket > 0 ? bounds[bucket - 1] : 0;
  if (bucket === -1 || bounds[bucket] === Infinity) return bounds.at(-2);
  const below = bucket > 0 ? counts[bucket - 1] : 0;
  const within = counts[bucket] - below;
  return within > 0 ? low + ((bounds[bucket] - low) * (rank - below)) / within : bounds[bucket];
}

function parseLabels(text) {
  const unescaped = (value) => value.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter));
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name, value]) => [name, unescaped(value)]));
}

function numberOf(text) {
  if (text === "+Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}
