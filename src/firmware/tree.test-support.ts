/** Arbitrary device trees, and their comparison, for property tests. */
import fc from 'fast-check';
import { DeviceNode, DeviceTree } from './tree.js';

interface Shape {
  readonly properties: Record<string, Uint8Array>;
  readonly children: Record<string, Shape>;
}

const nodeName = fc.stringMatching(/^[a-zA-Z][0-9a-zA-Z,._+-]{0,8}(@[0-9a-f]{1,8})?$/);
const propertyName = fc.stringMatching(/^[0-9a-zA-Z,._+?#-]{1,10}$/);
const value = fc.oneof(
  fc.uint8Array({ maxLength: 13 }),
  fc.string({ maxLength: 9 }).map((text) => new TextEncoder().encode(`${text}\0`)),
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
);

const shape: fc.Arbitrary<Shape> = fc.letrec<{ node: Shape }>((tie) => ({
  node: fc.record({
    properties: fc.dictionary(propertyName, value, { maxKeys: 4, noNullPrototype: false }),
    children: fc.oneof(
      { depthSize: 'small' },
      fc.constant({}),
      fc.dictionary(nodeName, tie('node'), { maxKeys: 3, noNullPrototype: false }),
    ),
  }),
})).node;

function build(node: DeviceNode, from: Shape): DeviceNode {
  for (const [name, bytes] of Object.entries(from.properties)) node.properties.set(name, bytes);
  for (const [name, child] of Object.entries(from.children)) node.append(build(new DeviceNode(name), child));
  return node;
}

/** Trees whose `phandle`s, if any, are of no consequence. */
export const arbitraryTree: fc.Arbitrary<DeviceTree> = fc
  .tuple(
    shape,
    fc.array(fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 1n, max: 2n ** 64n - 1n })), {
      maxLength: 2,
    }),
  )
  .map(([root, reservations]) => {
    const tree = new DeviceTree(build(new DeviceNode(''), root));
    tree.reservations.push(...reservations.map(([address, size]) => ({ address, size })));
    return tree;
  });

/** Name, properties and children of a node as plain data, in order. */
export function plain(node: DeviceNode): unknown {
  return [node.name, [...node.properties].map(([name, bytes]) => [name, [...bytes]]), node.children.map(plain)];
}

/** Whether two trees are equal, order and reservations included. */
export function sameTree(a: DeviceTree, b: DeviceTree): boolean {
  const text = (tree: DeviceTree) =>
    JSON.stringify([plain(tree.root), tree.reservations.map(({ address, size }) => [`${address}`, `${size}`])]);
  return text(a) === text(b);
}
