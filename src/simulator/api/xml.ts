/** What an XML element may hold. A list repeats its element; `undefined` leaves it out. */
export type XmlValue = string | number | boolean | undefined | readonly XmlValue[] | XmlFields;
export interface XmlFields {
  readonly [name: string]: XmlValue;
}

export function xmlElement(name: string, value: XmlValue, attributes = ""): string {
  if (value === undefined) return "";
  if (isList(value)) return value.map((entry) => xmlElement(name, entry)).join("");
  return `<${name}${attributes}>${content(value)}</${name}>`;
}

function content(value: string | number | boolean | XmlFields): string {
  if (typeof value !== "object") return escaped(String(value));
  return Object.entries(value)
    .map(([name, inner]) => xmlElement(name, inner))
    .join("");
}

function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value);
}

function escaped(text: string): string {
  return (
    text
      .replace(/[&<>"\r]/g, (character) => `&#${character.charCodeAt(0)};`)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 can't carry these at all
      .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "�")
  );
}
