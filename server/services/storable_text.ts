// What PostgreSQL's text can hold of a client's: no NUL, and no half of a surrogate pair.

export function toStorableText(text: string): string {
  return text.replaceAll("\0", "\ufffd").toWellFormed();
}
