/** What the service has written about its drains. */
export interface Outcomes {
  /** By node: how its drains, or its requests that came to none, have ended. */
  readonly byNode: ReadonlyMap<string, readonly string[]>;
  /** Drains, and requests that came to none. */
  readonly ends: number;
}

interface Line {
  readonly outcome?: string;
  readonly node?: string;
  readonly asked?: { readonly id?: string };
}

/** Reads lines of the service's log. */
export function outcomesOf(lines: readonly string[]): Outcomes {
  const byNode = new Map<string, string[]>();
  let ends = 0;
  for (const text of lines) {
    if (!text.includes('"outcome"')) continue;
    const { outcome = "", node, asked }: Line = JSON.parse(text);
    const id = node ?? asked?.id ?? "";
    byNode.set(id, [...(byNode.get(id) ?? []), outcome]);
    ends += 1;
  }
  return { byNode, ends };
}
