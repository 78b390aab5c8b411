/** The content of an XML element. A list repeats its element, and `undefined` omits it. */
export type XmlValue = string | number | boolean | undefined | readonly XmlValue[] | XmlFields;
export interface XmlFields {
  readonly [name: string]: XmlValue;
}

/** Plain loops, because the answer about a group of a thousand targets has ten thousand elements. */
export function xmlElement(name: string, value: XmlValue, attributes = ""): string {
  if (value === undefined) return "";
  if (isList(value)) {
    let elements = "";
    for (const entry of value) elements += xmlElement(name, entry);
    return elements;
  }
  return `<${name}${attributes}>${content(value)}</${name}>`;
}

function content(value: string | number | boolean | XmlFields): string {
  if (typeof value !== "object") return typeof value === "string" ? escaped(value) : String(value);
  let elements = "";
  for (const name of Object.keys(value)) elements += xmlElement(name, value[name]);
  return elements;
}

export function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 can't carry these at all
const TO_ESCAPE = /[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/;

function escaped(text: string): string {
  if (!TO_ESCAPE.test(text)) return text;
  return (
    text
      .replace(/[&<>"\r]/g, (character) => `&#${character.charCodeAt(0)};`)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 can't carry these at all
      .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd")
  );
}
