/** Roles of interpreted text, `:role:` before or behind it. */

const LONGEST_ROLE = 60;

function isRoleCharacter(code: number): boolean {
  const letter = code | 32;
  return (letter >= 97 && letter <= 122) || (code >= 48 && code <= 57) || code > 127;
}

/** Offset behind the role name that begins at `at`: letters and digits with single `-._+:` between; or -1. */
function roleNameEnd(source: string, at: number, end: number): number {
  const limit = Math.min(end, at + LONGEST_ROLE);
  let p = at;
  while (p < limit) {
    const code = source.charCodeAt(p);
    const inner = '-._+:'.includes(source[p]!) && p > at && isRoleCharacter(source.charCodeAt(p + 1));
    if (!isRoleCharacter(code) && !inner) break;
    p++;
  }
  return p > at ? p : -1;
}

/** The colon at `colon` begins `:role:` right before a backtick: offset of the backtick, or -1. */
export function roleBefore(source: string, colon: number, end: number): number {
  const nameEnd = roleNameEnd(source, colon + 1, end);
  if (nameEnd < 0 || source[nameEnd] !== ':' || source[nameEnd + 1] !== '`' || nameEnd + 1 >= end) return -1;
  return source[nameEnd + 2] === '`' ? -1 : nameEnd + 1;
}

/** `:role:` begins at `at`, behind interpreted text: offset behind it, or -1. */
export function roleBehind(source: string, at: number, end: number): number {
  if (at >= end || source[at] !== ':') return -1;
  const nameEnd = roleNameEnd(source, at + 1, end);
  return nameEnd < 0 || nameEnd >= end || source[nameEnd] !== ':' ? -1 : nameEnd + 1;
}
