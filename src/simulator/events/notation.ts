/** `2026-01-01T00:00:00Z`, of milliseconds since the epoch. */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, "2026-01-01T00:00:00".length)}Z`;
}

const COMPASS = /north|south|east|west|central/g;

/** `euw1-az1` for `eu-west-1a`. On AWS each account has the letters in an order of its own. */
export function zoneIdOf(zone: string): string {
  const parts = /^([a-z]{2})-([a-z-]+)-(\d)([a-z])$/.exec(zone);
  if (parts === null) return zone;
  const [, continent = "", place = "", number = "", letter = ""] = parts;
  const short = place.replace("gov-", "g").replace(COMPASS, (direction) => direction.charAt(0));
  return `${continent}${short}${number}-az${letter.charCodeAt(0) - "a".charCodeAt(0) + 1}`;
}
