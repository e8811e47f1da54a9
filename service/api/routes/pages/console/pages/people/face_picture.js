/** The kept crop of an enrolled face. Without one, a drawn head: most services keep no pictures. */

import { call } from "../../api.js";
import { html, useEffect, useState } from "../../vendor/htm-preact.js";

/**
 * face: as the API returns it. `has_crop` says whether a crop is kept; older services do not have this field.
 * onProblem: called with what went wrong, if the picture was not loaded.
 */
export function FacePicture({ collection, face, alt, onProblem }) {
  const [address, setAddress] = useState(null);
  const [isMissing, setIsMissing] = useState(false);
  const path = ["collections", collection, "faces", face.id, "crop"];
  useEffect(() => (face.has_crop ? showCrop(path, setAddress, miss) : undefined), [face.id]);
  function miss(problem) {
    setIsMissing(true);
    onProblem(problem);
  }
  if (isMissing) return html`<p class="face-picture face-picture-missing">The picture was not loaded.</p>`;
  if (address) return html`<img class="face-picture" src=${address} alt=${alt} />`;
  return html`
    <svg class="face-picture" viewBox="0 0 48 48" role="img" aria-label=${`${alt}: no picture is kept`}>
      <circle cx="24" cy="19" r="8" />
      <path d="M8 46c1-11 8-16 16-16s15 5 16 16" />
    </svg>
  `;
}

/** Load a picture, and give its address, or what went wrong. Returns a function that ends both. */
function showCrop(path, onAddress, onProblem) {
  const controller = new AbortController();
  let address = null;
  call("GET", path, { signal: controller.signal }).then(
    (picture) => {
      address = URL.createObjectURL(picture);
      onAddress(address);
    },
    (problem) => {
      const isDeleted = problem.status === 404; // meanwhile. The drawn head stays
      if (!isDeleted && !controller.signal.aborted) onProblem(problem);
    },
  );
  return () => {
    controller.abort();
    if (address) URL.revokeObjectURL(address);
  };
}
