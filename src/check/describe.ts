/** Values and thrown things as one line of text. Nothing here throws, whatever it is given. */
import { inspect, types } from 'node:util';

const MAX_TEXT = 500;
const MAX_STACK = 20_000;

/** One line of at most `limit` characters: control characters and line ends become spaces, the rest is cut with `…`. */
export function oneLine(text: string, limit = MAX_TEXT): string {
  // The cut comes first, so that a message of many megabytes costs nothing.
  const head = text.length > limit * 4 ? text.slice(0, limit * 4) : text;
  const line = head.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\s]+/g, ' ').trim();
  return line.length > limit || head.length < text.length ? `${line.slice(0, limit - 1)}…` : line;
}

/** A value for a message: integers of 1024 and above with their hexadecimal form. */
export function describeValue(value: unknown): string {
  try {
    if ((typeof value === 'number' && Number.isInteger(value)) || typeof value === 'bigint') {
      const digits = typeof value === 'bigint' ? `${value}n` : Object.is(value, -0) ? '-0' : String(value);
      const [sign, size] = value < 0 ? ['-', -value] : ['', value];
      return size >= 1024 ? `${digits} (${sign}0x${size.toString(16)})` : digits;
    }
    const text = inspect(value, {
      depth: 4,
      breakLength: Number.POSITIVE_INFINITY,
      compact: true,
      customInspect: false,
      showProxy: true,
      maxArrayLength: 16,
      maxStringLength: 200,
    });
    return oneLine(text, 300);
  } catch {
    return '(a value that cannot be shown)';
  }
}

/** Whether something thrown is an error of a kind; asks nothing of a proxy, which may answer with a throw. */
export function isErrorOf<Kind extends Error>(thrown: unknown, kind: new (message: string) => Kind): thrown is Kind {
  return !types.isProxy(thrown) && types.isNativeError(thrown) && thrown instanceof kind;
}

/** Something thrown, with its name and message where it has them; `stack` holds its calls, if it is an error. */
export function describeThrown(thrown: unknown): { readonly message: string; readonly stack: string } {
  try {
    if (!types.isProxy(thrown) && types.isNativeError(thrown)) {
      const name = typeof thrown.name === 'string' ? thrown.name : 'Error';
      const message = typeof thrown.message === 'string' ? thrown.message : '';
      const text = typeof thrown.stack === 'string' ? thrown.stack : '';
      const head = `${name}: ${message}`;
      const stack = text.slice(text.startsWith(head) ? head.length : 0).slice(0, MAX_STACK);
      return { message: oneLine(message === '' ? name : `${name}: ${message}`), stack };
    }
  } catch {
    // An error with hostile getters is described as a value.
  }
  return { message: `threw ${describeValue(thrown)}, which is no Error`, stack: '' };
}
