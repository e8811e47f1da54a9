/** The error rates at a threshold: the same as `service/model_files/calibration.py`. */

/** Return the FMR at a threshold, squared L2. Null if it was not measured there. */
export function fmrAt(calibration, threshold) {
  if (!isMeasured(calibration, threshold)) return null;
  return Math.exp(interpolate(threshold, thresholds(calibration), logFmr(calibration)));
}

/** Return the FNMR at a threshold. Null if it was not measured there, or not at all. */
export function fnmrAt(calibration, threshold) {
  if (!isMeasured(calibration, threshold) || calibration.rates[0].fnmr === null) return null;
  return interpolate(threshold, thresholds(calibration), calibration.rates.map((row) => row.fnmr));
}

/** Return the threshold with this FMR. Null if the table does not reach it. */
export function thresholdAtFmr(calibration, fmr) {
  const { rates } = calibration;
  if (fmr < rates[0].fmr || fmr > rates.at(-1).fmr) return null;
  return interpolate(Math.log(fmr), logFmr(calibration), thresholds(calibration));
}

/** Return the lowest and the highest threshold that were measured. */
export function measuredRange(calibration) {
  return [calibration.rates[0].threshold_sq_l2, calibration.rates.at(-1).threshold_sq_l2];
}

/** Write a rate as people say it: "13 in 100", "1 in 1,400". */
export function inWords(rate) {
  if (rate === 0) return "none measured";
  if (rate >= 0.1) return `${Math.round(rate * 100)} in 100`;
  if (rate >= 0.01) return `${Number((rate * 100).toFixed(1))} in 100`;
  const one = Number((1 / rate).toPrecision(2));
  return `1 in ${one.toLocaleString("en")}`;
}

function isMeasured(calibration, threshold) {
  const [lowest, highest] = measuredRange(calibration);
  return lowest <= threshold && threshold <= highest;
}

function thresholds(calibration) {
  return calibration.rates.map((row) => row.threshold_sq_l2);
}

/** FMR falls by a nearly constant factor from row to row, so its logarithm is interpolated. */
function logFmr(calibration) {
  return calibration.rates.map((row) => Math.log(row.fmr));
}

/** Return the value at x, on the line between its two neighbours. known: ascending. */
function interpolate(x, known, values) {
  const above = known.findIndex((one) => one > x);
  const after = Math.max(above === -1 ? known.length - 1 : above, 1);
  const step = known[after] - known[after - 1];
  const share = step ? (x - known[after - 1]) / step : 0;
  return values[after - 1] + share * (values[after] - values[after - 1]);
}
