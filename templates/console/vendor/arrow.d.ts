// The used part of arrow.js.gz, for tests/browser/check-types.js.

export type ArrowType = { typeId: number; bitWidth: number; signed: boolean; precision: number; dictionary: ArrowType };
export type ArrowBatch = {
  type: ArrowType;
  offsets: ArrayLike<number | bigint>;
  children?: ArrowBatch[];
  slice(from: number, end: number): unknown;
  value(row: number): unknown;
};
export type ArrowColumn = { length: number; data: ArrowBatch[]; at(row: number): unknown; cache(): unknown };
type ArrowTable = { numRows: number; schema: { fields: { name: string; type: ArrowType }[] }; getChildAt(index: number): ArrowColumn };

export function tableFromIPC(bytes: Uint8Array, options: { useBigInt: boolean; useDate: boolean }): ArrowTable;
export function setCompressionCodec(type: number, codec: { decode(bytes: Uint8Array): Uint8Array }): void;
