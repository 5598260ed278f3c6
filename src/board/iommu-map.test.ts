import t from 'tap';
import { readDts } from '../firmware/dts.js';
import { BoardSource } from './board-error.js';
import { type IommuMap, readIommuMap, streamOf } from './iommu-map.js';

/** The map of a host bridge with these properties, in a tree with two IOMMUs. */
function map(properties: string): IommuMap {
  const source = readDts(
    `/dts-v1/; / {
      a: a { #iommu-cells = <1>; }; b: b { #iommu-cells = <1>; }; c: c { };
      host { ${properties} };
    };`,
    'x.dts',
  );
  const host = source.tree.byPath('/host');
  return readIommuMap(new BoardSource(source), host ?? source.tree.root);
}

const stream = (of: IommuMap, requester: number) => {
  const found = streamOf(of, requester);
  return found === undefined ? undefined : `${found.iommu.name} 0x${found.stream.toString(16)}`;
};

t.test('an identity map of all requester ids', async (t) => {
  const identity = map('iommu-map = <0 &a 0 0x10000>;');
  t.equal(stream(identity, 0), 'a 0x0');
  t.equal(stream(identity, 0xffff), 'a 0xffff');
});

t.test('an entry moves its range to another base, and ends where its length says', async (t) => {
  const moved = map('iommu-map = <0x100 &a 0x8000 0x80>, <0x180 &b 0 0x80>;');
  t.equal(stream(moved, 0xff), undefined, 'below: not translated');
  t.equal(stream(moved, 0x100), 'a 0x8000');
  t.equal(stream(moved, 0x17f), 'a 0x807f');
  t.equal(stream(moved, 0x180), 'b 0x0');
  t.equal(stream(moved, 0x1ff), 'b 0x7f');
  t.equal(stream(moved, 0x200), undefined, 'above: not translated');
});

t.test('the mask is applied before the ranges', async (t) => {
  const masked = map('iommu-map = <0 &a 0x1000 0x100>; iommu-map-mask = <0xf8>;');
  t.equal(stream(masked, 0x0d), 'a 0x1008', 'functions of one device share a stream');
  t.equal(stream(masked, 0x50d), 'a 0x1008', 'and so do buses');
});

t.test('without a map nothing is translated', async (t) => {
  t.equal(stream(map(''), 8), undefined);
});

t.test('a map that cannot be says where', async (t) => {
  t.throws(() => map('iommu-map = <0 &a 0>;'), /x\.dts:3:14: \/host: iommu-map: 3 cells/);
  t.throws(() => map('iommu-map = <0 9 0 1>;'), /x\.dts:3:14: \/host: iommu-map: no node has the phandle 9/);
  t.throws(() => map('iommu-map = <0 &c 0 1>;'), /\/c does not have #iommu-cells = <1>/);
});
