type Pattern = { readonly [field: string]: Pattern | readonly string[] };

/** Whether an event fits a pattern of exact texts, the only kind that the templates have. */
export function matches(pattern: Pattern, event: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(pattern).every(([field, wanted]) => {
    const found = event[field];
    if (isTexts(wanted)) return wanted.includes(String(found));
    return typeof found === "object" && found !== null && matches(wanted, found as Readonly<Record<string, unknown>>);
  });
}

function isTexts(wanted: Pattern | readonly string[]): wanted is readonly string[] {
  return Array.isArray(wanted);
}
