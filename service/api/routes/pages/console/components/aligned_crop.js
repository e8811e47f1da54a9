/** A face as the embedder sees it: turned, scaled and moved so that its five points are at the places of the template. */

import { CROP_PX, similarityToTemplate } from "../calculations/alignment.js";
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";

const DRAWN_PX = 2 * CROP_PX; // sharp on screens with two pixels for one

/** file: the photograph. landmarks: five points of the face. alt: what the picture shows. */
export function AlignedCrop({ file, landmarks, alt }) {
  const canvas = useRef(null);
  const [state, setState] = useState("waiting");
  useEffect(() => {
    let isGone = false;
    const draw = (bitmap) => isGone || drawAligned(canvas.current, bitmap, landmarks);
    drawFrom(file, draw).then(
      () => isGone || setState("drawn"),
      () => isGone || setState("unreadable"),
    );
    return () => (isGone = true);
  }, [file, landmarks]);
  return html`
    <canvas
      ref=${canvas}
      class="crop"
      data-state=${state}
      width=${DRAWN_PX}
      height=${DRAWN_PX}
      role="img"
      aria-label=${alt}
      hidden=${state === "unreadable"}
    ></canvas>
  `;
}

function drawAligned(canvas, bitmap, landmarks) {
  const context = canvas.getContext("2d");
  const scale = DRAWN_PX / CROP_PX;
  context.fillStyle = "black"; // pixels beyond the photograph are black for the embedder too
  context.fillRect(0, 0, DRAWN_PX, DRAWN_PX);
  context.imageSmoothingQuality = "high";
  context.setTransform(...similarityToTemplate(landmarks).map((number) => number * scale));
  context.drawImage(bitmap, 0, 0);
  context.resetTransform();
}

const decoded = new Map();

/** Decode the photograph once for all who draw from it at the same time, and free its pixels after the last of them. */
async function drawFrom(file, draw) {
  const shared = decoded.get(file) ?? { bitmap: createImageBitmap(file), users: 0 };
  decoded.set(file, shared);
  shared.users += 1;
  try {
    draw(await shared.bitmap);
  } finally {
    shared.users -= 1;
    if (shared.users === 0) {
      decoded.delete(file);
      shared.bitmap.then((bitmap) => bitmap.close(), () => {});
    }
  }
}
