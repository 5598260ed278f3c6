/**
 * Subjects: applying a mutant, which gives a new one and leaves the one that it was made from as it was; and finding out
 * which parts of a subject a run reads, and which a mutant replaces, so that mutants meet first the checks that see them.
 */

/** A mutant that is none: it throws, returns nothing new, or changes the subject in place. */
export class MutantMistake extends Error {
  override readonly name = 'MutantMistake';
}

/**
 * Transforms a subject.
 * @throws {MutantMistake} if the result is the subject itself, or if a plain object or array within the subject has
 * changed: tables are shared between runs, and a change in place would leak into the runs after it.
 */
export function transformSubject(subject: unknown, transform: (subject: unknown) => unknown): unknown {
  const before = plainObjects(subject);
  const result = transform(subject);
  for (const [object, entries] of before) {
    const keys = Reflect.ownKeys(object);
    const same =
      keys.length === entries.size &&
      keys.every((key) => entries.has(key) && Object.is(entries.get(key), heldBy(object, key)));
    if (!same) throw new MutantMistake('the mutant changes the subject in place: return a copy with the part replaced');
  }
  if (result === undefined) throw new MutantMistake('the mutant returns nothing: return the transformed subject');
  if (Object.is(result, subject)) throw new MutantMistake('the mutant returns the subject that it was given');
  return result;
}

/** Every plain object and array that is reached from `root` through such, with its properties. Functions and instances of classes are leaves. */
function plainObjects(root: unknown): Map<object, ReadonlyMap<PropertyKey, unknown>> {
  const found = new Map<object, ReadonlyMap<PropertyKey, unknown>>();
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (!isPlain(value) || found.has(value)) continue;
    const entries = new Map<PropertyKey, unknown>();
    for (const key of Reflect.ownKeys(value)) {
      const held = heldBy(value, key);
      entries.set(key, held);
      pending.push(held);
    }
    found.set(value, entries);
  }
  return found;
}

/** Names of nested parts: `smmuv3.issueCommand`. */
const within = (path: string, key: PropertyKey): string => (path === '' ? String(key) : `${path}.${String(key)}`);

/**
 * A copy of a subject that notes which of its parts are read. Plain objects are copied with a getter for each part;
 * everything else stands as it is.
 * @returns the copy, and the names of the parts that have been read so far
 */
export function watchSubject(subject: unknown): { readonly subject: unknown; readonly read: ReadonlySet<string> } {
  const read = new Set<string>();
  const copies = new Map<object, object>();
  const copy = (value: unknown, path: string): unknown => {
    if (!isPlain(value) || Array.isArray(value)) return value;
    const known = copies.get(value);
    if (known !== undefined) return known;
    const made: object = Object.create(Reflect.getPrototypeOf(value));
    copies.set(value, made);
    for (const key of Reflect.ownKeys(value)) {
      const descriptor = Reflect.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
      if (!('value' in descriptor)) {
        Object.defineProperty(made, key, descriptor);
        continue;
      }
      const name = within(path, key);
      const part = copy(descriptor.value, name);
      let noted = false;
      const get = () => {
        if (!noted) {
          noted = true;
          read.add(name);
        }
        return part;
      };
      Object.defineProperty(made, key, { get, enumerable: descriptor.enumerable ?? false, configurable: true });
    }
    return made;
  };
  return { subject: copy(subject, ''), read };
}

/** A copy of a subject's plain objects and arrays, for a mutant that may change what it is given. Everything else stands as it is. */
export function copySubject(subject: unknown): unknown {
  const copies = new Map<object, object>();
  const copy = (value: unknown): unknown => {
    if (!isPlain(value)) return value;
    const known = copies.get(value);
    if (known !== undefined) return known;
    const made: object = Array.isArray(value) ? [] : Object.create(Reflect.getPrototypeOf(value));
    copies.set(value, made);
    for (const key of Reflect.ownKeys(value)) {
      const descriptor = Reflect.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
      Object.defineProperty(
        made,
        key,
        'value' in descriptor ? { ...descriptor, value: copy(descriptor.value) } : descriptor,
      );
    }
    return made;
  };
  return copy(subject);
}

/** Names of the parts that differ between a subject and what a mutant has made of it, sorted. */
export function changedParts(subject: unknown, mutated: unknown): string[] {
  const changed: string[] = [];
  const seen = new Set<unknown>();
  const compare = (before: unknown, after: unknown, path: string): void => {
    if (Object.is(before, after)) return;
    if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
      if (before.every((one, at) => Object.is(one, after[at]))) return;
    }
    const nested = isPlain(before) && isPlain(after) && !Array.isArray(before) && !Array.isArray(after);
    if (!nested) changed.push(path);
    else if (!seen.has(before)) {
      seen.add(before);
      for (const key of new Set([...Reflect.ownKeys(before), ...Reflect.ownKeys(after)])) {
        compare(heldBy(before, key), heldBy(after, key), within(path, key));
      }
    }
  };
  compare(subject, mutated, '');
  return changed.sort();
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Array.isArray(value);
}

/** The value of a data property, or the getter of an accessor: nothing is called. */
function heldBy(object: object, key: PropertyKey): unknown {
  const descriptor = Reflect.getOwnPropertyDescriptor(object, key);
  return descriptor && 'value' in descriptor ? descriptor.value : descriptor?.get;
}
