/** One face: who it is, and who else is near. */

import { Badge } from "../../components/badge.js";
import { FaceDetails } from "../../components/face_details.js";
import { html } from "../../vendor/htm-preact.js";

const EXPLANATIONS = {
  match: "The nearest subject is below the threshold, and no other one is nearly as near.",
  ambiguous: "Two subjects are nearly equally near, so it is not known which of them it is.",
  unknown: "No enrolled subject is near enough.",
};

/** Return the name of the subject of a face, or what is known instead. */
export function nameOf(face) {
  if (face.decision !== "match") return face.decision;
  return nameOfCandidate(face.candidates.find((one) => one.subject === face.subject) ?? { subject: face.subject });
}

function nameOfCandidate({ name, subject }) {
  return name || subject;
}

/** face: as /identify returns it, with `takenBy`. number: of the face, from the left. threshold: squared L2. */
export function FaceDecision({ file, face, number, threshold }) {
  return html`
    <section class="card" aria-label=${`Face ${number}`} aria-live="polite">
      <${FaceDetails} file=${file} face=${face} title=${`Face ${number}`}>
        <p><${Badge} tone=${face.decision}>${nameOf(face)}<//></p>
      <//>
      <p>${explain(face)}</p>
      ${face.candidates.length > 0 && html`<${Candidates} ...${{ face, threshold }} />`}
    </section>
  `;
}

function explain(face) {
  if (face.takenBy !== null) {
    return `Face ${face.takenBy} is nearer to the nearest subject, and one person is in a photograph once.`;
  }
  return EXPLANATIONS[face.decision];
}

/** The nearest subjects, with their distances on a common scale. */
function Candidates({ face, threshold }) {
  const end = Math.max(2, ...face.candidates.map((candidate) => candidate.distance));
  const share = (distance) => `${(100 * distance) / end}%`;
  return html`
    <ol class="candidates" aria-label="Nearest subjects">
      ${face.candidates.map((candidate) => {
        const isNear = candidate.distance < threshold;
        return html`
          <li>
            <span class="candidate-name">${nameOfCandidate(candidate)}</span>
            <span class="candidate-distance">${candidate.distance.toFixed(3)}</span>
            <span class="bar-frame" aria-hidden="true">
              <span class="bar-fill" data-tone=${isNear ? "match" : "unknown"} style=${{ width: share(candidate.distance) }}></span>
              <span class="bar-threshold" style=${{ left: share(threshold) }}></span>
            </span>
            <span class="small">Score ${candidate.score.toFixed(0)} of 100${isNear ? ", below the threshold" : ""}</span>
          </li>
        `;
      })}
    </ol>
  `;
}
