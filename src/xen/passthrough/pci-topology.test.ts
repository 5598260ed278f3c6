import t from 'tap';
import type { Board } from '../../board/board.js';
import { assignment, at, boardOfFile, createGuest, dma, hardwareScratch, physdev } from '../xen.test-support.js';
import { bootInside, changedBoard } from './dt.test-support.js';

const EBUSY = -16;
const RAM = 0x4000_0000;
const BEHIND = 'compatible = "tracewright,dma-endpoint"; bars = <0 0x0 0x4000>;';

/** The board with more in segment 0, and all of that kept for passthrough. */
function boardWithMore(text: string, hidden: readonly string[]): Board {
  const hide = hidden.map((name) => `(${name})`).join('');
  return changedBoard(
    ['// Nothing at 4.', `${text}\n// Nothing at 4.`],
    ['xen-pciback.hide=(0000:00:01.0)(0000:05:00.0)(0001:00:02.0)', `xen-pciback.hide=(0000:00:01.0)${hide}`],
  );
}

/** What becomes of giving one function to a guest and another to another guest, and then both to one. */
function pair(board: Board, first: string, second: string): { apart: number; together: number; works: boolean } {
  const booted = bootInside(board);
  const d1 = createGuest(booted.xen, [first]);
  const d2 = createGuest(booted.xen, []);
  const apart = assignment(booted, 37, d2, second);
  if (apart === 0) assignment(booted, 47, d2, second);
  const together = assignment(booted, 37, d1, second);
  return { apart, together, works: dma(booted.machine, second, RAM).ok && dma(booted.machine, first, RAM).ok };
}

t.test('what is behind a bridge to conventional PCI has the requester id (secondary bus, 0, 0)', async (t) => {
  const board = boardWithMore(
    `bridge@6,0 { compatible = "tracewright,pcie-to-pci-bridge"; secondary-bus = <8>; dma@1 { ${BEHIND} }; dma@2 { ${BEHIND} }; };`,
    ['0000:08:01.0', '0000:08:02.0'],
  );
  const { state, xen } = bootInside(board);
  t.ok(xen.pciDevices().includes('0000:08:02.0'));
  const device = state.steps.pci.findDevice(state, at('0000:08:01.0'));
  t.same(device && state.steps.iommu.requesterIds(state, device), [0x808, 0x800]);
  t.same(device?.master?.streamIds, [0x808, 0x800], 'segment 0 has its requester ids as streams');
  t.same(pair(board, '0000:08:01.0', '0000:08:02.0'), { apart: EBUSY, together: 0, works: true });
});

t.test('a conventional bridge is the requester itself, and gets no stream of its own', async (t) => {
  const board = boardWithMore(
    `bridge@6,0 { compatible = "tracewright,pci-bridge"; pci; secondary-bus = <8>; dma@1 { ${BEHIND} }; };`,
    ['0000:08:01.0'],
  );
  const booted = bootInside(board);
  const { state } = booted;
  const device = state.steps.pci.findDevice(state, at('0000:08:01.0'));
  t.same(device && state.steps.iommu.requesterIds(state, device), [0x808, 0x30], '00:06.0');
  t.equal(state.steps.pci.findDevice(state, at('0000:00:06.0'))?.master, undefined);
  const d1 = createGuest(booted.xen, ['0000:08:01.0']);
  t.ok(dma(booted.machine, '0000:08:01.0', RAM).ok);
  t.equal(assignment(booted, 47, d1, '0000:08:01.0'), 0);
  t.notOk(dma(booted.machine, '0000:08:01.0', RAM).ok);
});

t.test('functions of one device have one domain, unless Access Control Services part them', async (t) => {
  const functions = (acs: string) =>
    boardWithMore(`dma@6,0 { ${BEHIND} ${acs} }; dma@6,1 { ${BEHIND} ${acs} };`, ['0000:00:06.0', '0000:00:06.1']);
  t.same(pair(functions(''), '0000:00:06.0', '0000:00:06.1'), { apart: EBUSY, together: 0, works: true });
  t.match(pair(functions('acs;'), '0000:00:06.0', '0000:00:06.1'), { apart: 0, works: true });
});

t.test('below a switch without Access Control Services, all is one group', async (t) => {
  const below = (acs: string) =>
    boardWithMore(
      `bridge@6,0 { compatible = "tracewright,pci-bridge"; acs; secondary-bus = <8>;
         bridge@0,0 { compatible = "tracewright,pci-bridge";
           bridge@0,0 { compatible = "tracewright,pci-bridge"; ${acs} dma@0 { ${BEHIND} }; };
           bridge@1,0 { compatible = "tracewright,pci-bridge"; ${acs} dma@0 { ${BEHIND} }; }; }; };`,
      ['0000:0a:00.0', '0000:0b:00.0'],
    );
  t.same(pair(below(''), '0000:0a:00.0', '0000:0b:00.0'), { apart: EBUSY, together: 0, works: true });
  t.match(pair(below('acs;'), '0000:0a:00.0', '0000:0b:00.0'), { apart: 0, works: true });
});

t.test('Xen turns on the services that keep peers apart, and no others', async (t) => {
  const board = boardWithMore(`bridge@6,0 { compatible = "tracewright,pci-bridge"; acs; secondary-bus = <8>; };`, []);
  const { state } = bootInside(board);
  const sbdf = at('0000:00:06.0');
  const capability = state.steps.pci.findExtendedCapability(state, sbdf, 0x000d) ?? 0;
  const supported = state.steps.pci.configRead(state, sbdf, capability + 4, 2);
  // ACS Control +6: SV 0, RR 2, CR 3, UF 4.
  t.equal(state.steps.pci.configRead(state, sbdf, capability + 6, 2), supported & 0x1d);
  t.equal(supported & 0x1d, 0x1d);
});

t.test('a function of which a guest has a mate stays in quarantine', async (t) => {
  const board = boardWithMore(`dma@6,0 { ${BEHIND} }; dma@6,1 { ${BEHIND} };`, ['0000:00:06.0', '0000:00:06.1']);
  const booted = bootInside(board);
  const { xen } = booted;
  const owner = (name: string) => xen.claims().find((claim) => claim.devices.includes(name))?.domid;
  const d1 = createGuest(xen, ['0000:00:06.0', '0000:00:06.1']);
  t.equal(assignment(booted, 47, d1, '0000:00:06.0'), 0);
  t.equal(assignment(booted, 47, 0x7ff1, '0000:00:06.0'), EBUSY, 'not to the hardware domain either');
  t.equal(assignment(booted, 47, d1, '0000:00:06.1'), 0);
  t.equal(assignment(booted, 47, 0x7ff1, '0000:00:06.0'), 0);
  t.equal(owner('0000:00:06.0'), 0);
  t.equal(assignment(booted, 37, d1, '0000:00:06.1'), EBUSY, "a mate is the hardware domain's");
  t.equal(assignment(booted, 37, 0x7ff1, '0000:00:06.0'), 0);
  t.equal(assignment(booted, 37, d1, '0000:00:06.1'), 0);
});

t.test('a function that appears beside one that a guest has is quarantined', async (t) => {
  const board = boardWithMore(`dma@6,0 { ${BEHIND} }; dma@6,1 { ${BEHIND} };`, ['0000:00:06.0']);
  const booted = bootInside(board);
  const { machine, xen } = booted;
  t.equal(physdev(booted, 26, '0000:00:06.1'), 0);
  createGuest(xen, ['0000:00:06.0']);
  t.equal(physdev(booted, 25, '0000:00:06.1'), 0);
  t.ok(
    xen
      .claims()
      .find((claim) => claim.domid === 0x7ff1)
      ?.devices.includes('0000:00:06.1'),
  );
  t.notOk(dma(machine, '0000:00:06.1', hardwareScratch(xen)).ok);
});

t.test('a device of its own needs no mates', async (t) => {
  const booted = bootInside(boardOfFile);
  const d1 = createGuest(booted.xen, ['0000:00:01.0']);
  const d2 = createGuest(booted.xen, ['0000:05:00.0']);
  t.ok(d1 !== d2);
  t.same(booted.problems, []);
});

t.test(
  'a virtual function works for a guest: its stream, and its slice of the memory that its physical function names',
  async (t) => {
    const board = boardWithMore(
      'dma@6 { compatible = "tracewright,dma-endpoint"; bars = <0 0x0 0x4000>; sr-iov = <4 1 1>; vf-bars = <0 0x4 0x4000>; };',
      [],
    );
    const booted = bootInside(board);
    const { machine, state, xen } = booted;
    const { configRead, configWrite, findExtendedCapability } = state.steps.pci;
    const physical = at('0000:00:06.0');
    const capability = findExtendedCapability(state, physical, 0x0010) ?? 0;
    // SR-IOV (9.3.3): control +8 with VF Enable 0 and VF MSE 3, NumVFs +10h, VF BAR0 +24h.
    configWrite(state, physical, capability + 0x10, 2, 3);
    configWrite(state, physical, capability + 0x8, 2, 0b1001);
    const base = configRead(state, physical, capability + 0x24, 4) & 0xffff_fff0;
    const high = configRead(state, physical, capability + 0x28, 4);
    t.equal(physdev(booted, 25, '0000:00:06.2', 2, [0, 6 * 8]), 0, 'the second');
    t.equal(configRead(state, physical, capability + 0x8, 2), 0b1001, 'as it was');
    t.equal(configRead(state, physical, capability + 0x24, 4) & 0xffff_fff0, base);
    t.same(
      state.steps.pci.findDevice(state, at('0000:00:06.2'))?.bars.map(({ size, address }) => [size, address]),
      [[0x4000, high * 2 ** 32 + (base >>> 0) + 0x4000]],
    );
    configWrite(state, at('0000:00:06.2'), 4, 2, 4); // bus master
    const d1 = createGuest(xen, ['0000:00:06.2']);
    t.ok(dma(machine, '0000:00:06.2', RAM).ok);
    t.equal(physdev(booted, 26, '0000:00:06.0'), EBUSY, 'its physical function stays');
    t.equal(assignment(booted, 47, d1, '0000:00:06.2'), 0);
    t.notOk(dma(machine, '0000:00:06.2', RAM).ok);
    t.same(booted.problems, []);
  },
);
