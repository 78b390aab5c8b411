/** Texts for people. Durations are milliseconds, and times are ISO 8601 or milliseconds since the epoch. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `7 s`, `4 min 05 s`, `2 h 03 min`, `3 d 4 h`. Never negative. */
export function duration(ms: number): string {
  const whole = Math.max(0, Math.round(ms / SECOND)) * SECOND;
  if (whole < MINUTE) return `${whole / SECOND} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${two((whole % MINUTE) / SECOND)} s`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${two(Math.floor((whole % HOUR) / MINUTE))} min`;
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** `3 nodes`, `1 node`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** Local time, with the date if it is not today's. */
export function localTime(moment: string | number, now: number): string {
  const [at, today] = [new Date(moment), new Date(now)];
  const isToday = at.toDateString() === today.toDateString();
  const day = isToday ? "" : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
  return `${day}${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/**
 * A pool for people: with its load balancer, unless that has the same name, and with its place, if there are several.
 */
export function poolName({
  loadBalancer,
  pool,
  place,
}: {
  readonly loadBalancer?: string | undefined;
  readonly pool: string;
  readonly place?: string | undefined;
}): string {
  const name = loadBalancer === undefined || loadBalancer === pool ? pool : `${loadBalancer} / ${pool}`;
  return place === undefined ? name : `${name} (${place})`;
}

/**
 * A sentence of the service as a sentence of the page: with a capital letter, unless it begins with a name, and a full
 * stop.
 */
export function sentence(text: string): string {
  const end = text === "" || /[.!?…]$/.test(text) ? "" : ".";
  return `${text.replace(/^[a-z](?=[a-z']*[ ,])/, (first) => first.toUpperCase())}${end}`;
}

/** A part of a whole for an attribute of SVG, such as `37.5%`. Within 0 and 100. */
export function percent(part: number, whole: number): string {
  const ratio = whole > 0 ? part / whole : 0;
  return `${Math.round(Math.min(1, Math.max(0, ratio)) * 1_000) / 10}%`;
}
