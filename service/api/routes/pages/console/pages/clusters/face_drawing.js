/** Small pictures of faces. Each photograph is decoded once, when it is sent, and its pixels are freed at once. */

const PICTURE_PX = 160;
const MARGIN = 0.25; // of the longer side of the box, on each side

/** file: a photograph. boxes: in pixels of it. Returns a promise of a Blob for each, or of nulls if the browser cannot read it. */
export async function drawFaces(file, boxes) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return boxes.map(() => null);
  }
  try {
    return await Promise.all(boxes.map((box) => drawFace(bitmap, box)));
  } finally {
    bitmap.close();
  }
}

function drawFace(bitmap, { x, y, width, height }) {
  const side = Math.max(width, height) * (1 + 2 * MARGIN);
  const canvas = new OffscreenCanvas(PICTURE_PX, PICTURE_PX);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, x + (width - side) / 2, y + (height - side) / 2, side, side, 0, 0, PICTURE_PX, PICTURE_PX);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
}
