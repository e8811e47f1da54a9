/** The photographs in what a user has chosen, dropped or pasted. Each is `{ file, path }`, with its path in its folder. */

const ENDINGS = /\.(jpe?g|png|webp|avif|hei[cf]|bmp|gif)$/i;

/** Return whether the service may be able to read the file. It looks at the bytes, and has the last word. */
export function isPhoto(file) {
  return file.type.startsWith("image/") || ENDINGS.test(file.name);
}

/** Return the photographs of a file input. */
export function photosOfInput(input) {
  return sorted([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
}

/** Return the photographs of a drop, also those in folders. Call it at once: the browser forgets a drop after its event. */
export async function photosOfDrop(transfer) {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const dropped = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found = [];
  for (const { entry, file } of dropped) found.push(...(entry ? await filesIn(entry) : [{ file, path: file.name }]));
  return sorted(found);
}

/** Return the photographs of the clipboard. */
export function photosOfPaste(event) {
  return sorted([...(event.clipboardData?.files ?? [])].map((file) => ({ file, path: file.name })));
}

function sorted(photos) {
  const kept = photos.filter(({ file }) => isPhoto(file));
  return kept.sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }));
}

async function filesIn(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path: entry.fullPath.replace(/^\//, "") }];
  }
  const found = [];
  for (const child of await childrenOf(entry)) found.push(...(await filesIn(child)));
  return found;
}

/** Return all entries of a folder. A browser gives at most 100 at a time. */
async function childrenOf(folder) {
  const reader = folder.createReader();
  const children = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return children;
    children.push(...some);
  }
}
