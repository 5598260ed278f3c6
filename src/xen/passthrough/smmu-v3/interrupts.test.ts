import t from 'tap';
import { stringBytes } from '../../../firmware/tree.js';
import { pa } from '../../../hw/address.js';
import { boardOfFile, createGuest, dma } from '../../xen.test-support.js';
import { bootInside, changedBoard, dmaOf, dtAssignment } from '../dt.test-support.js';

const RAM = 0x4000_0000;
// Arm IHI 0070 6.2, 6.3.16: IRQ_CTRL 0x50, of which GERROR is bit 0 and EVENTQ bit 2.
const IRQ_CTRL = pa(0x0905_0050);

t.test('an event interrupts: it is told without Xen being entered otherwise', async (t) => {
  const { machine, xen, problems } = bootInside(boardOfFile);
  t.equal(machine.mmio.read(IRQ_CTRL, 4), 0b101, 'event queue and global errors');
  createGuest(xen, ['0000:00:01.0']);
  const told = () => xen.console.filter((line) => line.includes('F_TRANSLATION')).length;
  t.equal(told(), 0);
  t.notOk(dma(machine, '0000:00:01.0', 0x7000_0000).ok);
  machine.settle();
  machine.cpus.takeInterrupts(0);
  t.equal(told(), 1);
  t.same(problems, []);
});

t.test('a combined wire serves all sources; without names Xen looks when it is entered', async (t) => {
  const combined = bootInside(boardOfFile, (tree) => {
    tree.byPath('/iommu@9050000')?.properties.set('interrupt-names', stringBytes('combined'));
  });
  t.equal(combined.machine.mmio.read(IRQ_CTRL, 4), 0b101);
  const nameless = bootInside(boardOfFile, (tree) => {
    tree.byPath('/iommu@9050000')?.properties.delete('interrupt-names');
  });
  t.equal(nameless.machine.mmio.read(IRQ_CTRL, 4), 0);
  createGuest(nameless.xen, ['0000:00:01.0']);
  t.notOk(dma(nameless.machine, '0000:00:01.0', 0x7000_0000).ok);
  nameless.machine.settle();
  createGuest(nameless.xen, []);
  t.match(nameless.xen.console.join('\n'), /F_TRANSLATION/);
});

t.test('an SMMU that could send messages sends none', async (t) => {
  // Arm IHI 0070 6.2, 6.3.1, 6.3.19: IDR0.MSI is bit 13; EVENTQ_IRQ_CFG0 0xb0, GERROR_IRQ_CFG0 0x68, 64 bits.
  const board = changedBoard(['idr0 = <0x0d4c101b>;', 'idr0 = <0x0d4c301b>;']);
  const { machine, xen, problems } = bootInside(board, undefined, undefined, (inner) => {
    for (const register of [0x0905_00b0, 0x0905_0068]) inner.write64(pa(register), 0, 0x4800_0000);
    return inner;
  });
  for (const register of [0x0905_00b0, 0x0905_0068]) t.same(machine.mmio.read64(pa(register)), { hi: 0, lo: 0 });
  createGuest(xen, ['0000:00:01.0']);
  t.notOk(dma(machine, '0000:00:01.0', 0x7000_0000).ok);
  machine.settle();
  machine.cpus.takeInterrupts(0);
  t.match(xen.console.join('\n'), /F_TRANSLATION/, 'by wire');
  t.same(problems, []);
});

t.test('a wire that cannot be read is told, and the SMMU works without it', async (t) => {
  const { machine, xen } = bootInside(boardOfFile, (tree) => {
    tree.byPath('/iommu@9050000')?.properties.set('interrupts', Uint8Array.of(0, 0, 0, 1));
  });
  t.match(xen.console.join('\n'), /SMMUv3 \/iommu@9050000: interrupts: 1 cells are no multiple of 3/);
  createGuest(xen, ['0000:00:01.0']);
  t.ok(dma(machine, '0000:00:01.0', RAM).ok);
});

t.test('two SMMUs have tags and streams of their own', async (t) => {
  const GPU = '/soc@a000000/gpu@10000';
  const MMC = '/soc@a000000/mmc@40000';
  const board = changedBoard(
    [
      '// Platform devices, on a bus',
      `smmu2: iommu@9100000 { compatible = "arm,smmu-v3"; reg = <0x0 0x09100000 0x0 0x20000>; #iommu-cells = <1>; };\n// on a bus`,
    ],
    ['iommus = <&smmu 0x10020>;', 'iommus = <&smmu2 0x10010>;'],
    [
      'gic-parameters {',
      `smmu2-parameters { compatible = "tracewright,smmuv3-parameters"; device = <&smmu2>; idr0 = <0x0d4c101b>;
         idr1 = <0x014a0151>; idr3 = <0x00000610>; idr5 = <0x00000075>; aidr = <0x1>; };\ngic-parameters {`,
    ],
  );
  const booted = bootInside(board);
  const { machine, state, xen } = booted;
  t.equal(state.iommus.length, 2);
  const d1 = createGuest(xen, []);
  const d2 = createGuest(xen, []);
  t.equal(dtAssignment(booted, 37, d1, GPU), 0);
  t.equal(dtAssignment(booted, 37, d2, MMC), 0, 'the same stream id, of another SMMU');
  t.ok(dmaOf(machine, GPU, RAM, false).ok);
  t.ok(dmaOf(machine, MMC, RAM, false).ok);
  t.equal(dtAssignment(booted, 47, d2, MMC), 0);
  t.equal(dtAssignment(booted, 37, d1, MMC), 0);
  const contexts = state.domains.get(d1)?.contexts ?? [];
  t.same(
    contexts.map(({ iommu }) => iommu.node.path),
    ['/iommu@9050000', '/iommu@9100000'],
  );
  const [first, second] = contexts;
  const gpu = [...(first?.devices ?? [])][0];
  if (second !== undefined && gpu !== undefined) t.equal(state.steps.iommu.attach(state, second, gpu), -6, 'ENXIO');
  t.equal(dtAssignment(booted, 47, d1, GPU), 0);
  t.notOk(dmaOf(machine, GPU, RAM, false).ok);
  t.ok(dmaOf(machine, MMC, RAM, false).ok, 'its context at the other SMMU stays');
  t.same(booted.problems, []);
});

t.test('streams of two IOMMUs in one device are refused', async (t) => {
  const { xen } = bootInside(boardOfFile, (tree) => {
    const smmu = tree.byPath('/iommu@9050000');
    const other = Object.assign(smmu?.clone() as object, { name: 'iommu@9100000' }) as typeof smmu & object;
    other.properties.set('phandle', Uint8Array.of(0, 0, 0, 0x99));
    other.properties.set('status', stringBytes('disabled'));
    tree.root.append(other);
    const gpu = tree.byPath('/soc@a000000/gpu@10000');
    const iommus = gpu?.properties.get('iommus')?.slice() ?? new Uint8Array();
    iommus.set([0, 0, 0, 0x99], 8);
    gpu?.properties.set('iommus', iommus);
  });
  t.match(xen.console.join('\n'), /gpu@10000: iommus: \/iommu@9050000 and \/iommu@9100000 are different IOMMUs/);
});
