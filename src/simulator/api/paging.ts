import { constraintError, validationError } from "../aws-error.ts";
import { integer, type Params, text } from "./params.ts";

export const PAGE_SIZE_MAX = 400;

/** One page of `items` by PageSize and Marker, as both ELB APIs page: at most 400, which is also the default. */
export function pageOf<T>(
  items: readonly T[],
  params: Params,
): { readonly items: readonly T[]; readonly nextMarker?: string } {
  const size = integer(params, "PageSize") ?? PAGE_SIZE_MAX;
  if (size < 1) throw constraintError(`'${size}'`, "pageSize", "Member must have value greater than or equal to 1");
  if (size > PAGE_SIZE_MAX) {
    throw constraintError(`'${size}'`, "pageSize", `Member must have value less than or equal to ${PAGE_SIZE_MAX}`);
  }
  const start = readMarker(text(params, "Marker"));
  const nextMarker = start + size < items.length ? writeMarker(start + size) : undefined;
  return { items: items.slice(start, start + size), ...(nextMarker === undefined ? {} : { nextMarker }) };
}

export function writeMarker(offset: number): string {
  return Buffer.from(`offset:${offset}`).toString("base64url");
}

export function readMarker(marker: string | undefined): number {
  if (marker === undefined || marker === "") return 0;
  const offset = /^offset:(\d+)$/.exec(Buffer.from(marker, "base64url").toString())?.[1];
  if (offset === undefined) throw validationError(`Invalid marker: '${marker}'`);
  return Number(offset);
}
