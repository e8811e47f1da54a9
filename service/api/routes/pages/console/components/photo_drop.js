/** A place to drop, choose, paste or take photographs. */

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { CameraDialog, hasCamera } from "./camera_dialog.js";
import { photosOfDrop, photosOfInput, photosOfPaste } from "./photo_files.js";

/**
 * label: what is wanted, such as "First photograph".
 * onPhotos: called with a list of `{ file, path }`, which may be empty if no file is a photograph.
 * multiple: several photographs. folder: a whole folder, so the path of each photograph has its subfolder.
 */
export function PhotoDrop({ label, onPhotos, multiple = false, folder = false }) {
  const [isOver, setIsOver] = useState(false);
  const [isCameraOpen, setIsCameraOpen] = useState(false);
  const give = (photos) => onPhotos(multiple || folder ? photos : photos.slice(0, 1));

  async function drop(event) {
    event.preventDefault();
    setIsOver(false);
    give(await photosOfDrop(event.dataTransfer));
  }

  function choose(event) {
    const photos = photosOfInput(event.target);
    event.target.value = "";
    give(photos);
  }

  return html`
    <div
      class="drop"
      data-over=${isOver}
      onDragOver=${(event) => (event.preventDefault(), setIsOver(true))}
      onDragLeave=${() => setIsOver(false)}
      onDrop=${drop}
    >
      <${DropPicture} />
      <p class="drop-label">${label}</p>
      <p class="small">${folder ? "Drop a folder here" : "Drop or paste here"}</p>
      <div class="actions">
        <label class="button">
          ${folder ? "Choose a folder" : multiple ? "Choose photographs" : "Choose a file"}
          <input
            type="file"
            class="hidden-input"
            aria-label=${`${label}: choose`}
            accept=${folder ? undefined : "image/*,.heic,.heif"}
            multiple=${multiple || folder}
            webkitdirectory=${folder || undefined}
            onChange=${choose}
          />
        </label>
        ${!folder && hasCamera() && html`<button onClick=${() => setIsCameraOpen(true)}>Use the camera</button>`}
      </div>
      ${isCameraOpen &&
      html`<${CameraDialog} onClose=${() => setIsCameraOpen(false)} onPhoto=${(file) => give([{ file, path: file.name }])} />`}
    </div>
  `;
}

/** Call the function with the photographs that are pasted anywhere on the page. */
export function usePastedPhotos(onPhotos) {
  const latest = useRef(onPhotos);
  latest.current = onPhotos;
  useEffect(() => {
    const paste = (event) => {
      const photos = photosOfPaste(event);
      if (photos.length > 0) latest.current(photos);
    };
    document.addEventListener("paste", paste);
    return () => document.removeEventListener("paste", paste);
  }, []);
}

function DropPicture() {
  return html`
    <svg class="drop-picture" viewBox="0 0 48 48" aria-hidden="true">
      <rect x="6" y="9" width="36" height="30" rx="5" />
      <circle cx="24" cy="21" r="5.500" />
      <path d="M13.500 36c1.600-6 5.600-9 10.500-9s8.900 3 10.500 9" />
    </svg>
  `;
}
