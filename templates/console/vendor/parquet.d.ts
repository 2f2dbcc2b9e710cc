// The used part of parquet.js.gz, for tests/browser/check-types.js.

export type ParquetElement = {
  name: string;
  type?: string;
  converted_type?: string;
  logical_type?: { type: string; isSigned?: boolean; bitWidth?: number };
  num_children?: number;
};
type Metadata = { num_rows: bigint };
type ReadOptions = {
  file: ArrayBufferLike;
  metadata: Metadata;
  rowEnd: number;
  rowFormat: "array";
  compressors: Record<string, (bytes: Uint8Array) => Uint8Array>;
  onComplete(rows: unknown[][]): void;
};

export function parquetMetadata(file: ArrayBufferLike): Metadata;
export function parquetSchema(metadata: Metadata): { children: { element: ParquetElement }[] };
export function parquetRead(options: ReadOptions): Promise<void>;
