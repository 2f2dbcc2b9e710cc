// Saves a text as a file, as a download of the browser. Sends nothing.

/**
 * @param {string} name
 * @param {string} type
 * @param {string} text
 */
export function saveFile(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  // The browser has read the address when the click returns; it may still read the blob.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
