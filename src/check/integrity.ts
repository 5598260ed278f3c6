/**
 * Integrity of a lane: whether a check has changed what the next one would stand on. A changed lane is replaced; the
 * check's own result stays as it is. The probe protects against mistakes, not malice, and costs about a tenth of a
 * millisecond.
 */

/** Objects whose own properties are compared. Their functions are in turn what all code runs on. */
const FOUNDATIONS: readonly (readonly [string, object])[] = [
  ['globalThis', globalThis],
  ['process', process],
  ['console', console],
  ['Math', Math],
  ['JSON', JSON],
  ['Reflect', Reflect],
  ['Atomics', Atomics],
  ...[
    Object,
    Function,
    Array,
    String,
    Number,
    Boolean,
    Symbol,
    BigInt,
    Date,
    RegExp,
    Error,
    TypeError,
    RangeError,
    Promise,
    Map,
    Set,
    WeakMap,
    WeakSet,
    WeakRef,
    Proxy,
    ArrayBuffer,
    DataView,
    Uint8Array,
    Uint16Array,
    Uint32Array,
    Int32Array,
    BigUint64Array,
    Float64Array,
    Buffer,
    TextEncoder,
    TextDecoder,
    URL,
  ].flatMap((type): (readonly [string, object])[] => [
    [type.name, type],
    [`${type.name}.prototype`, type.prototype as object],
  ]),
  ['%TypedArray%.prototype', Object.getPrototypeOf(Uint8Array.prototype) as object],
  ['%ArrayIterator%.prototype', Object.getPrototypeOf([][Symbol.iterator]()) as object],
  ['%Generator%.prototype', Object.getPrototypeOf(Object.getPrototypeOf((function* () {})())) as object],
].filter((pair): pair is [string, object] => typeof pair[1] === 'object' || typeof pair[1] === 'function');

const { ownKeys, isExtensible, getOwnPropertyDescriptor } = Reflect;
const { stringify } = JSON;
const { cwd } = process;
const LISTENED = ['message', 'disconnect', 'uncaughtException', 'unhandledRejection'] as const;
const { listenerCount } = process;
/** Changes on its own. */
const VOLATILE = new Set<PropertyKey>([
  'process._exiting',
  'process.exitCode',
  'process.title',
  'process._events',
  'process._eventsCount',
  'process.domain',
]);

interface Snapshot {
  readonly object: Record<PropertyKey, unknown>;
  readonly name: string;
  readonly keys: number;
  readonly extensible: boolean;
  readonly data: readonly PropertyKey[];
  readonly values: readonly unknown[];
}

/** Remembers the state of the lane. The function that it returns names what has changed since, or gives undefined. */
export function watchIntegrity(): () => string | undefined {
  const snapshots = FOUNDATIONS.map(([name, object]) => snapshot(name, object));
  const environment = stringify(process.env);
  const folder = cwd();
  const listeners = LISTENED.map((event) => listenerCount.call(process, event));
  return () => {
    for (const { object, name, keys, extensible, data, values } of snapshots) {
      for (let at = 0; at < data.length; at++) {
        const key = data[at] as PropertyKey;
        if (!Object.is(object[key], values[at])) return `changed ${name}.${String(key)}`;
      }
      if (ownKeys(object).length !== keys) return `added to ${name} or took from it`;
      if (isExtensible(object) !== extensible) return `froze ${name}`;
    }
    for (let at = 0; at < LISTENED.length; at++) {
      const event = LISTENED[at] as string;
      if (listenerCount.call(process, event) !== listeners[at]) return `changed the listeners of process '${event}'`;
    }
    if (stringify(process.env) !== environment) return 'changed the environment';
    if (cwd() !== folder) return 'changed the working directory';
    return undefined;
  };
}

function snapshot(name: string, object: object): Snapshot {
  const data: PropertyKey[] = [];
  const values: unknown[] = [];
  const all = ownKeys(object);
  for (const key of all) {
    const descriptor = getOwnPropertyDescriptor(object, key);
    // Accessors are left out: Node replaces many by a value when they are first read.
    if (!descriptor || !('value' in descriptor) || VOLATILE.has(`${name}.${String(key)}`)) continue;
    data.push(key);
    values.push(descriptor.value);
  }
  return {
    object: object as Record<PropertyKey, unknown>,
    name,
    keys: all.length,
    extensible: isExtensible(object),
    data,
    values,
  };
}
