import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { readDts } from './dts.js';
import { printDts } from './dts-print.js';
import { decodeFdt, encodeFdt, FirmwareFormatError, fdtSize } from './fdt.js';
import { cellBytes, DeviceNode, DeviceTree } from './tree.js';
import { arbitraryTree, sameTree } from './tree.test-support.js';

const hasDtc = spawnSync('dtc', ['--version']).status === 0;

/** A root with a property `a` = <1> and a child `b`: the smallest tree that has everything. */
function small(): Uint8Array {
  const tree = new DeviceTree();
  tree.root.properties.set('a', cellBytes(1));
  tree.root.append(new DeviceNode('b'));
  return encodeFdt(tree);
}

/** How reading these bytes ends. */
function outcome(bytes: Uint8Array): string {
  try {
    decodeFdt(bytes);
    return 'okay';
  } catch (error) {
    if (!(error instanceof FirmwareFormatError)) throw error;
    return `${error.code} @${error.offset}`;
  }
}

/** The bytes of the small tree with one 32-bit word replaced. */
function altered(offset: number, value: number): Uint8Array {
  const bytes = small();
  new DataView(bytes.buffer).setUint32(offset, value);
  return bytes;
}

t.test('a blob is laid out as chapter 5 says', async (t) => {
  const view = new DataView(small().buffer);
  const words = Array.from({ length: Math.floor(view.byteLength / 4) }, (_, index) => view.getUint32(index * 4));
  t.same(words.slice(0, 10), [
    0xd00dfeed, // magic
    102, // totalsize: 40 + 16 + 44 + 2
    56, // off_dt_struct
    100, // off_dt_strings
    40, // off_mem_rsvmap, 8-byte aligned
    17, // version
    16, // last_comp_version
    0, // boot_cpuid_phys
    2, // size_dt_strings
    44, // size_dt_struct
  ]);
  t.same(words.slice(10, 14), [0, 0, 0, 0], 'the memory reservation block is only its end');
  t.same(words.slice(14, 25), [
    1, // FDT_BEGIN_NODE
    0, // '' and padding
    3, // FDT_PROP
    4, // len
    0, // nameoff
    1, // value
    1, // FDT_BEGIN_NODE
    0x62000000, // 'b', NUL, padding
    2, // FDT_END_NODE
    2, // FDT_END_NODE
    9, // FDT_END
  ]);
  t.equal(view.getUint16(100), 0x6100, 'strings block');
  t.equal(fdtSize(small()), 102);
  t.equal(fdtSize(small().subarray(0, 7)), 0);
});

t.test('every truncation is an error', async (t) => {
  const bytes = small();
  for (let length = 0; length < bytes.length; length++) {
    t.match(outcome(bytes.subarray(0, length)), /^truncated/, `${length} bytes`);
  }
  t.equal(outcome(bytes), 'okay');
  t.equal(outcome(Uint8Array.of(...bytes, 1, 2, 3)), 'okay', 'what follows the blob is not part of it');
});

t.test('a bad header says what is bad, and where', async (t) => {
  t.equal(outcome(altered(0, 0xedfe0dd0)), 'bad magic @0');
  t.equal(outcome(altered(0x14, 16)), 'unsupported version @20');
  t.equal(outcome(altered(0x18, 18)), 'unsupported version @20');
  t.equal(outcome(altered(0x04, 39)), 'bad offset @4');
  t.equal(outcome(altered(0x04, 0xffffffff)), 'truncated @102');
  t.equal(outcome(altered(0x08, 58)), 'bad offset @8', 'not aligned');
  t.equal(outcome(altered(0x08, 0xfffffffc)), 'bad offset @8');
  t.equal(outcome(altered(0x24, 0xffffffff)), 'bad offset @8');
  t.equal(outcome(altered(0x0c, 103)), 'bad offset @12');
  t.equal(outcome(altered(0x20, 3)), 'bad offset @12');
  t.equal(outcome(altered(0x10, 44)), 'bad offset @16', 'not aligned to 8');
  t.equal(outcome(altered(0x10, 0xfffffff8)), 'bad offset @16');
});

t.test('blocks do not overlap', async (t) => {
  t.equal(outcome(altered(0x0c, 56)), 'blocks overlap @56');
  t.equal(outcome(altered(0x10, 24)), 'blocks overlap @24', 'reservations in the header');
  t.equal(outcome(altered(0x10, 88)), 'unterminated block @88');
});

t.test('a bad structure block says what is bad, and where', async (t) => {
  t.equal(outcome(altered(56, 5)), 'bad token @56');
  t.equal(outcome(altered(56, 9)), 'bad nesting @56', 'an end and no root');
  t.equal(outcome(altered(56, 2)), 'bad nesting @56', 'the end of nothing');
  t.equal(outcome(altered(56, 3)), 'misplaced property @56');
  t.equal(outcome(altered(60, 0x78000000)), 'bad name @60', 'a root with a name');
  t.equal(outcome(altered(68, 0x7fffffff)), 'truncated @76', 'a property that never ends');
  t.equal(outcome(altered(72, 2)), 'bad offset @72', 'a name behind the strings block');
  t.equal(outcome(altered(84, 0x62626262)), 'bad nesting @96', 'the name takes the end of its node with it');
  t.equal(outcome(altered(84, 0)), 'bad name @84', 'a child without a name');
  t.equal(outcome(altered(84, 0x2f000000)), 'bad name @84', 'a slash');
  t.equal(outcome(altered(88, 9)), 'bad nesting @88', 'an end inside of a node');
  t.equal(outcome(altered(96, 4)), 'unterminated block @100', 'no end');
  t.equal(outcome(altered(96, 1)), 'bad nesting @96', 'a second root');
  t.equal(outcome(altered(92, 9)), 'bad nesting @92');
  t.equal(outcome(altered(88, 4)), 'bad nesting @96', 'a NOP instead of the end of the child');
  const noName = small();
  noName[101] = 0x61;
  t.equal(outcome(noName), 'unterminated string @100', 'the strings block has no terminator');
  noName[100] = 0;
  t.equal(outcome(noName), 'bad name @100', 'a property without a name');
});

t.test('names are unique within a node, and properties stand before children', async (t) => {
  const two = new DeviceTree();
  two.root.append(new DeviceNode('b'));
  two.root.append(new DeviceNode('c'));
  const children = encodeFdt(two);
  children[children.indexOf(0x63)] = 0x62;
  t.match(outcome(children), /^duplicate name/);
  const properties = new DeviceTree();
  properties.root.properties.set('p', cellBytes(1)).set('q', cellBytes(2));
  const same = encodeFdt(properties);
  same[same.length - 2] = 0x70;
  t.match(outcome(same), /^duplicate name/);
  // BEGIN '' BEGIN 'b' END_NODE PROP 4 0 <1> END_NODE END: the words of the small tree in another order
  const late = small();
  const view = new DataView(late.buffer);
  [1, 0, 1, 0x62000000, 2, 3, 4, 0, 1, 2, 9].forEach((word, index) => {
    view.setUint32(56 + index * 4, word);
  });
  t.match(outcome(late), /^misplaced property @76/);
});

t.test('nesting is bounded', async (t) => {
  const tree = new DeviceTree();
  let node = tree.root;
  for (let depth = 1; depth < 64; depth++) node = node.append(new DeviceNode('n'));
  t.equal(outcome(encodeFdt(tree)), 'okay');
  node.append(new DeviceNode('n'));
  t.match(outcome(encodeFdt(tree)), /^bad nesting/);
});

t.test('reservations and the boot CPU go through', async (t) => {
  const tree = new DeviceTree();
  tree.bootCpu = 3;
  tree.reservations.push({ address: 0xffff_ffff_0000_0000n, size: 0x1000n });
  const read = decodeFdt(encodeFdt(tree));
  t.equal(read.bootCpu, 3);
  t.same(read.reservations, [{ address: 0xffff_ffff_0000_0000n, size: 0x1000n }]);
});

t.test('a name that a blob cannot hold is refused when writing', async (t) => {
  const tree = new DeviceTree();
  tree.root.append(new DeviceNode('a b'));
  t.throws(() => encodeFdt(tree), RangeError);
});

t.test('a tree that is written is read as the same tree', async () => {
  fc.assert(
    fc.property(arbitraryTree, (tree) => sameTree(decodeFdt(encodeFdt(tree)), tree)),
    { numRuns: 200, seed: 1 },
  );
});

t.test('no bytes make the reader throw anything else, or go on for ever', async () => {
  fc.assert(
    fc.property(
      arbitraryTree,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.nat(),
      (tree, changes, cut) => {
        const bytes = encodeFdt(tree);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        outcome(bytes);
        outcome(bytes.subarray(0, cut % bytes.length));
        return true;
      },
    ),
    { numRuns: 500, seed: 2 },
  );
});

t.test('dtc reads what is written, and is read', { skip: hasDtc ? false : 'dtc is not installed' }, async (t) => {
  const source = readDts(`/dts-v1/;
    /memreserve/ 0x10000000 0x4000;
    / {
      #address-cells = <2>; #size-cells = <1>; empty; text = "a\\"b", "c"; bytes = [00 01 02];
      soc { #address-cells = <1>; #size-cells = <1>; ranges = <0 0 0 0x1000>;
        a@0 { reg = <0 4>; }; b@10 { reg = <0x10 4>; }; };
    };`);
  const blob = encodeFdt(source.tree);
  const options = { stdio: ['pipe', 'pipe', 'ignore'] as ['pipe', 'pipe', 'ignore'] };
  const again = execFileSync('dtc', ['-q', '-I', 'dtb', '-O', 'dtb'], { ...options, input: blob });
  t.ok(sameTree(decodeFdt(again), source.tree), 'blob to blob');
  const text = execFileSync('dtc', ['-q', '-I', 'dtb', '-O', 'dts'], { ...options, input: blob });
  t.ok(sameTree(readDts(text.toString()).tree, source.tree), 'its text is read here');
  const ours = execFileSync('dtc', ['-q', '-I', 'dts', '-O', 'dtb'], { ...options, input: printDts(source.tree) });
  t.ok(sameTree(decodeFdt(ours), source.tree), 'our text is read there');
});
