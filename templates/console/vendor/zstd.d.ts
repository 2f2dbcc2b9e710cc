// The used part of zstd.js.gz, for tests/browser/check-types.js.

export function decompress(bytes: Uint8Array): Uint8Array;
