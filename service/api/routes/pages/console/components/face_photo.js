/** A photograph with a box and five points for each face. */

import { html, useEffect, useState } from "../vendor/htm-preact.js";

/**
 * file: the photograph. faces: `[{ box, landmarks, tone, label, title }]`, in pixels of the upright photograph, as the API returns
 * them. tone: as for Badge. label: a short text at the box. title: what it is called for those
 * who do not see the box. selected: the position of a face, or null.
 * onSelect: called with the position of a face. Without it, the boxes are no buttons.
 */
export function FacePhoto({ file, faces = [], alt = "", selected = null, onSelect }) {
  const [size, setSize] = useState(null);
  const [isHidden, setIsHidden] = useState(false);
  const address = useObjectAddress(file);
  useEffect(() => {
    setSize(null);
    setIsHidden(false);
  }, [file]);
  if (isHidden) return html`<p class="empty">This browser cannot show the file. The service may still be able to read it.</p>`;
  return html`
    <div class="face-photo">
      <img
        src=${address}
        alt=${alt}
        onLoad=${(event) => setSize({ width: event.target.naturalWidth, height: event.target.naturalHeight })}
        onError=${() => address && setIsHidden(true)}
      />
      ${size && html`<${Points} faces=${faces} size=${size} />`}
      ${size && faces.map((face, position) => html`<${FaceBox} ...${{ face, size, position, selected, onSelect }} />`)}
    </div>
  `;
}

/** Return an address of the file in memory. It ends with the component. */
function useObjectAddress(file) {
  const [address, setAddress] = useState(undefined);
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return address;
}

function FaceBox({ face, size, position, selected, onSelect }) {
  const { x, y, width, height } = face.box;
  const style = {
    left: `${(100 * x) / size.width}%`,
    top: `${(100 * y) / size.height}%`,
    width: `${(100 * width) / size.width}%`,
    height: `${(100 * height) / size.height}%`,
  };
  const label = face.label && html`<span class="face-label">${face.label}</span>`;
  if (!onSelect) return html`<span class="face-box" data-tone=${face.tone} style=${style}>${label}</span>`;
  return html`
    <button
      class="face-box"
      data-tone=${face.tone}
      style=${style}
      aria-pressed=${position === selected}
      aria-label=${`Face ${position + 1}: ${face.title ?? face.label}`}
      onClick=${() => onSelect(position)}
    >${label}</button>
  `;
}

function Points({ faces, size }) {
  const radius = (width) => Math.max(width / 45, size.width / 500);
  return html`
    <svg class="face-points" viewBox="0 0 ${size.width} ${size.height}" aria-hidden="true">
      ${faces.flatMap(({ box, landmarks }) => (landmarks ?? []).map(([x, y]) => html`<circle cx=${x} cy=${y} r=${radius(box.width)} />`))}
    </svg>
  `;
}
