/** The page Service: how much it does, how fast, and with which model and thresholds. */

import { call } from "../api.js";
import { ProblemMessage } from "../components/problem_message.js";
import { useKept, useTask } from "../state.js";
import { html, useEffect } from "../vendor/htm-preact.js";
import { Activity } from "./service/activity.js";
import { Collections } from "./service/collections.js";
import { ModelCard } from "./service/model_card.js";

export function ServicePage() {
  const [model, setModel] = useKept("model", null);
  const loading = useTask();
  const load = () => loading.run(async (signal) => setModel(await call("GET", "model", { signal })));
  useEffect(() => void load(), []);
  return html`
    <${Activity} />
    <${ProblemMessage} problem=${loading.problem} onRetry=${load} />
    ${model && html`<${ModelCard} model=${model} />`}
    <${Collections} />
  `;
}
