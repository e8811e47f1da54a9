/** A face beside its photograph: the aligned crop, and how well it can be compared. */

import { html } from "../vendor/htm-preact.js";
import { AlignedCrop } from "./aligned_crop.js";

const REASONS = {
  too_small: "small",
  blurred: "blurred",
  dark: "dark",
  bright: "too bright",
  low_contrast: "little contrast",
  turned_away: "turned away",
  cut_off: "cut off at the edge",
  unclear: "unclear",
  unrecognisable: "hard to recognise",
};

/** file: the photograph. face: as the API returns it. title: such as "Face 1". */
export function FaceDetails({ file, face, title, children }) {
  return html`
    <div class="face-details">
      <${AlignedCrop} file=${file} landmarks=${face.landmarks} alt=${`${title}, upright and cut out`} />
      <div>
        <p><strong>${title}</strong></p>
        <p class="small">${describeQuality(face.quality)}</p>
        <p class="small">${Math.round(face.box.width)} × ${Math.round(face.box.height)} pixels</p>
        ${children}
      </div>
    </div>
  `;
}

/** Say how good a face is, and what is wrong with it. */
function describeQuality(quality) {
  if (!quality) return "Quality not measured";
  const reasons = quality.reasons.map((reason) => REASONS[reason] ?? reason).join(", ");
  const score = quality.score === null ? "" : ` ${quality.score.toFixed(2)} of 1`;
  return `Quality${score}${reasons && `: ${reasons}`}`;
}
