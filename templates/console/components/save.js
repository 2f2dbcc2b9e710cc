// Saves bytes or text as a file of the user: the browser downloads it, and never opens it.

const FREED_AFTER_MS = 60_000;

/**
 * @param {string} name
 * @param {string | Uint8Array} content
 * @param {string} type
 */
export function saveFile(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([/** @type {BlobPart} */ (content)], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), FREED_AFTER_MS);
}
