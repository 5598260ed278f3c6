import t from 'tap';
import { readDts } from '../firmware/dts.js';
import { BoardSource } from './board-error.js';
import { type IdMap, mapId, readIdMap, readMsiMap } from './id-map.js';

/** The host bridge with these properties, in a tree with two IOMMUs and two that take messages. */
function host(properties: string) {
  const source = readDts(
    `/dts-v1/; / {
      a: a { #iommu-cells = <1>; }; b: b { #iommu-cells = <1>; }; c: c { };
      host { ${properties} };
      its: its { #msi-cells = <1>; }; v2m: v2m { #msi-cells = <0>; };
    };`,
    'x.dts',
  );
  return { board: new BoardSource(source), node: source.tree.byPath('/host') ?? source.tree.root };
}

function iommuMap(properties: string): IdMap {
  const { board, node } = host(properties);
  return readIdMap(board, node, 'iommu');
}

function msiMap(properties: string): IdMap {
  const { board, node } = host(properties);
  return readMsiMap(board, node);
}

const id = (of: IdMap, requester: number) => {
  const found = mapId(of, requester);
  return found === undefined ? undefined : `${found.target.name} 0x${found.id.toString(16)}`;
};

t.test('an identity map of all requester ids', async (t) => {
  const identity = iommuMap('iommu-map = <0 &a 0 0x10000>;');
  t.equal(id(identity, 0), 'a 0x0');
  t.equal(id(identity, 0xffff), 'a 0xffff');
});

t.test('an entry moves its range to another base, and ends where its length says', async (t) => {
  const moved = iommuMap('iommu-map = <0x100 &a 0x8000 0x80>, <0x180 &b 0 0x80>;');
  t.equal(id(moved, 0xff), undefined, 'below: not translated');
  t.equal(id(moved, 0x100), 'a 0x8000');
  t.equal(id(moved, 0x17f), 'a 0x807f');
  t.equal(id(moved, 0x180), 'b 0x0');
  t.equal(id(moved, 0x1ff), 'b 0x7f');
  t.equal(id(moved, 0x200), undefined, 'above: not translated');
});

t.test('the mask is applied before the ranges', async (t) => {
  const masked = iommuMap('iommu-map = <0 &a 0x1000 0x100>; iommu-map-mask = <0xf8>;');
  t.equal(id(masked, 0x0d), 'a 0x1008', 'functions of one device share a stream');
  t.equal(id(masked, 0x50d), 'a 0x1008', 'and so do buses');
});

t.test('without a map nothing is translated', async (t) => {
  t.equal(id(iommuMap(''), 8), undefined);
  t.equal(id(msiMap(''), 8), undefined);
});

t.test('DeviceIDs come from msi-map, or are the requester ids where there is an msi-parent alone', async (t) => {
  const mapped = msiMap('msi-map = <0 &its 0x10000 0x1000>; msi-map-mask = <0xfff>; msi-parent = <&its 0>;');
  t.equal(id(mapped, 0x0108), 'its 0x10108');
  t.equal(id(mapped, 0x1108), 'its 0x10108', 'masked');
  t.equal(id(msiMap('msi-parent = <&its 0>;'), 0xfff8), 'its 0xfff8');
  t.equal(id(msiMap('msi-parent = <&v2m>;'), 8), 'v2m 0x8', 'one that asks for no cells');
});

t.test('a map that cannot be says where', async (t) => {
  t.throws(() => iommuMap('iommu-map = <0 &a 0>;'), /x\.dts:3:14: \/host: iommu-map: 3 cells/);
  t.throws(() => iommuMap('iommu-map = <0 9 0 1>;'), /x\.dts:3:14: \/host: iommu-map: no node has the phandle 9/);
  t.throws(() => iommuMap('iommu-map = <0 &c 0 1>;'), /\/c does not have #iommu-cells = <1>/);
  t.throws(() => msiMap('msi-map = <0 &v2m 0 1>;'), /x\.dts:3:14: \/host: msi-map: \/v2m does not have #msi-cells/);
  t.throws(() => msiMap('msi-parent = <9>;'), /x\.dts:3:14: \/host: msi-parent: no node has the phandle 9/);
  t.throws(() => msiMap('msi-parent = <&c>;'), /\/c has no #msi-cells/);
  t.throws(() => msiMap('msi-parent;'), /msi-parent: names nothing/);
});
