/** URLs that stand in text by themselves. docutils: `Inliner.standalone_uri`, after RFC 2396. */

const SCHEMES: ReadonlySet<string> = new Set([
  'http',
  'https',
  'ftp',
  'ftps',
  'sftp',
  'file',
  'git',
  'ssh',
  'svn',
  'news',
  'mailto',
  'irc',
]);
const LONGEST_SCHEME = 6;

const URL_CHARACTER = new Uint8Array(128);
const LAST_CHARACTER = new Uint8Array(128);
for (const character of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_~*/=+') {
  URL_CHARACTER[character.charCodeAt(0)] = 1;
  LAST_CHARACTER[character.charCodeAt(0)] = 1;
}
for (const character of "-.!'()[];:@&$,%?#") URL_CHARACTER[character.charCodeAt(0)] = 1;

/** Offset of the scheme whose colon stands at `colon`, or -1. Looks back no further than `from`. */
export function linkStart(source: string, colon: number, from: number): number {
  let start = colon;
  while (start > from && colon - start <= LONGEST_SCHEME) {
    const code = source.charCodeAt(start - 1) | 32;
    if (code < 97 || code > 122) break;
    start--;
  }
  return SCHEMES.has(source.slice(start, colon).toLowerCase()) ? start : -1;
}

/** Offset behind the URL whose scheme ends with the colon at `colon`, or -1. Punctuation at its end is not part of it. */
export function linkEnd(source: string, colon: number, end: number): number {
  let p = colon + 1;
  let behind = -1;
  while (p < end) {
    const code = source.charCodeAt(p);
    if (code > 127 || URL_CHARACTER[code] === 0) break;
    p++;
    if (LAST_CHARACTER[code] === 1) behind = p;
  }
  return behind > colon + 3 ? behind : -1;
}
