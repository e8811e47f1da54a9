/** The page Compare: two photographs, their distance, and what it means. */

import { call } from "../api.js";
import { FaceDetails } from "../components/face_details.js";
import { FacePhoto } from "../components/face_photo.js";
import { PhotoDrop, usePastedPhotos } from "../components/photo_drop.js";
import { ProblemMessage } from "../components/problem_message.js";
import { useGiven, useKept, useTask } from "../state.js";
import { html, useEffect } from "../vendor/htm-preact.js";
import { exampleFiles } from "./compare/examples.js";
import { Verdict } from "./compare/verdict.js";

const SIDES = [
  { field: "image_a", label: "First photograph" },
  { field: "image_b", label: "Second photograph" },
];

export function ComparePage() {
  const [files, setFiles] = useGiven("compare.files", [null, null]);
  const [answer, setAnswer] = useKept("compare.answer", null);
  const [model, setModel] = useKept("model", null);
  const work = useTask();
  const isComplete = files.every(Boolean);

  function compare() {
    return work.run(async (signal) => {
      const verified = await call("POST", "verify", { form: { image_a: files[0], image_b: files[1] }, signal });
      if (model?.id !== verified.model.id) setModel(await call("GET", "model", { signal }));
      setAnswer(verified);
    });
  }

  useEffect(() => {
    if (isComplete && !answer) compare();
  }, [files]);

  function setFile(side, file) {
    work.clear();
    setAnswer(null);
    setFiles((before) => before.map((one, position) => (position === side ? file : one)));
  }

  function fill(photos) {
    const first = files[0] === null ? 0 : 1;
    photos.slice(0, 2 - first).forEach(({ file }, position) => setFile(first + position, file));
  }
  usePastedPhotos(fill);

  function showExample() {
    return work.run(async (signal) => setFiles(await exampleFiles(signal)));
  }

  const ofSide = (problem, field) => (problem?.image === field ? problem : null);
  const ofBoth = SIDES.some(({ field }) => ofSide(work.problem, field)) ? null : work.problem;
  return html`
    <div class="two">
      ${SIDES.map(({ field, label }, side) => {
        const onFile = (file) => setFile(side, file);
        const result = answer?.[field];
        return html`<${Side} ...${{ label, file: files[side], result, onFile, problem: ofSide(work.problem, field) }} />`;
      })}
    </div>
    <div class="live" aria-live="polite">
      ${work.busy && html`<p class="notice">Comparing …</p>`}
      ${ofBoth && html`<${ProblemMessage} problem=${ofBoth} onRetry=${compare} />`}
    </div>
    ${answer && model && html`<${Verdict} answer=${answer} model=${model} />`}
    ${!isComplete &&
    html`
      <div class="hint">
        <p class="small">The service compares the main face of each photograph. It stores neither of them.</p>
        ${files.every((file) => file === null) &&
        html`<button class="quiet" onClick=${showExample}>Try it with two drawn faces</button>`}
      </div>
    `}
  `;
}

/** One photograph, with the face that is compared. result: as /verify returns it for one image. */
function Side({ label, file, result, onFile, problem }) {
  if (file === null) return html`<${PhotoDrop} label=${label} onPhotos=${([photo]) => photo && onFile(photo.file)} />`;
  const face = result?.face;
  return html`
    <section class="card side" aria-label=${label}>
      <${FacePhoto} file=${file} faces=${face ? [face] : []} alt=${label} />
      <div class="side-text">
        <${ProblemMessage} problem=${problem} />
        ${face && html`<${FaceDetails} file=${file} face=${face} title="The compared face" />`}
        ${result?.warnings.map((warning) => html`<p class="small">${warning.detail}</p>`)}
        <div class="actions"><button onClick=${() => onFile(null)}>Another photograph</button></div>
      </div>
    </section>
  `;
}
