/** Readings of /metrics, one after the other. */

import { call } from "../../api.js";
import { parseExposition, sumOf } from "../../calculations/exposition.js";
import { useKept } from "../../state.js";
import { useEffect, useRef, useState } from "../../vendor/htm-preact.js";

const EVERY_MS = 2000;
const KEPT = 61; // two minutes
const NOT_WORK = new Set(["/metrics", "/livez", "/readyz", "/", "/console/{file:path}", "/docs", "(none)"]);

/**
 * Return `{ readings, problem, retry }`. A reading is `{ atS, samples, isReady }`, the newest is the last. The page reads while it
 * can be seen. It goes on if the service does not answer for a while, and stops if the key does not allow it.
 */
export function useReadings() {
  const [readings, setReadings] = useKept("service.readings", []);
  const [problem, setProblem] = useState(null);
  const [round, setRound] = useState(0);
  const controller = useRef(null);

  useEffect(() => {
    controller.current = new AbortController();
    let timer = null;
    async function read() {
      try {
        if (!document.hidden) {
          const reading = await readOnce(controller.current.signal);
          setReadings((before) => [...ofThisStart(before, reading), reading].slice(-KEPT));
          setProblem(null);
        }
      } catch (error) {
        if (error.name === "AbortError") return;
        setProblem(error);
        if (error.status === 401 || error.status === 403) return;
      }
      timer = setTimeout(read, EVERY_MS);
    }
    read();
    return () => {
      controller.current.abort();
      clearTimeout(timer);
    };
  }, [round]);

  function retry() {
    setProblem(null);
    setRound((before) => before + 1);
  }
  return { readings, problem, retry };
}

/** Return the readings since the service was started. Its counters begin at 0 again. */
function ofThisStart(readings, newest) {
  const startOf = ({ samples }) => sumOf(samples, "process_start_time_seconds");
  return readings.filter((reading) => startOf(reading) === startOf(newest));
}

/** Return whether a request, by its labels, is work that a client wants, and no probe or page. */
export function isWork({ route }) {
  return !NOT_WORK.has(route);
}

async function readOnce(signal) {
  const text = await call("GET", "metrics", { signal });
  const isReady = await call("GET", "readyz", { signal }).then(
    () => true,
    () => false,
  );
  return { atS: performance.now() / 1000, samples: parseExposition(text), isReady };
}
