/** Applying a mutant: a new subject, with the one that it was made from left as it was. */

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
