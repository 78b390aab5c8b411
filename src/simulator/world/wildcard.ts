/** AWS's wildcards: `*` for any characters, `?` for exactly one. `\` before one of them makes it an ordinary character. */
export function matchesWildcard(pattern: string, text: string): boolean {
  // Most patterns have no wildcard, and are compared a hundred thousand times.
  if (!pattern.includes("*") && !pattern.includes("?") && !pattern.includes("\\")) return pattern === text;
  const source = pattern.replace(/\\([*?\\])|[.+^${}()|[\]\\*?]/g, (found, escaped: string | undefined) => {
    if (found === "*") return ".*";
    return found === "?" ? "." : `\\${escaped ?? found}`;
  });
  return new RegExp(`^${source}$`, "s").test(text);
}
