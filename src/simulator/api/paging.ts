import { AwsError, validationError } from "../aws-error.ts";
import { integer, type Params, text } from "./params.ts";

const PAGE_SIZE_MAX = 400;

/** One page of `items` by PageSize and Marker, as both ELB APIs page: at most 400, which is also the default. */
export function pageOf<T>(
  items: readonly T[],
  params: Params,
): { readonly items: readonly T[]; readonly nextMarker?: string } {
  const size = integer(params, "PageSize", [1, PAGE_SIZE_MAX]) ?? PAGE_SIZE_MAX;
  const marker = text(params, "Marker");
  const start = readMarker(marker);
  if (start === undefined) throw validationError(`Invalid marker: '${marker}'`);
  const nextMarker = start + size < items.length ? writeMarker(start + size) : undefined;
  return { items: items.slice(start, start + size), ...(nextMarker === undefined ? {} : { nextMarker }) };
}

/** As `pageOf`, by MaxRecords and NextToken as Auto Scaling pages. */
export function recordsOf<T>(
  items: readonly T[],
  params: Params,
  { byDefault, max }: { readonly byDefault: number; readonly max: number },
): { readonly items: readonly T[]; readonly nextToken: string | undefined } {
  const size = integer(params, "MaxRecords", [1, max]) ?? byDefault;
  const token = text(params, "NextToken");
  const start = readMarker(token);
  if (start === undefined) throw new AwsError("InvalidNextToken", `The token '${token}' is invalid`);
  const end = start + size;
  return { items: items.slice(start, end), nextToken: end < items.length ? writeMarker(end) : undefined };
}

export function writeMarker(offset: number): string {
  return Buffer.from(`offset:${offset}`).toString("base64url");
}

/** Undefined if no answer contained this marker. */
export function readMarker(marker: string | undefined): number | undefined {
  if (marker === undefined || marker === "") return 0;
  const offset = /^offset:(\d+)$/.exec(Buffer.from(marker, "base64url").toString())?.[1];
  return offset === undefined ? undefined : Number(offset);
}
