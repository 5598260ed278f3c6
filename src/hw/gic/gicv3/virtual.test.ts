/** The virtual CPU interface by the manual (Arm IHI 0069): 6 (virtualization), 12.2 (ICV), 12.4 (ICH). */
import t from 'tap';
import { gicv3 } from './gicv3.test-support.js';

const SPURIOUS = 1023;
const PENDING = 1;
const ACTIVE = 2;

/** Upper half of a list register: state 63:62, HW 61, group 60, priority 55:48, pINTID 44:32 (or EOI 41). */
const upper = (state: number, priority: number, { hw = -1, group = 1, eoi = 0 } = {}) =>
  ((state << 30) | (hw >= 0 ? (1 << 29) | hw : eoi << 9) | (group << 28) | (priority << 16)) >>> 0;

/** A machine whose guests' interface is on, with group 1 enabled and everything let through. */
function virtual(options: Parameters<typeof gicv3>[0] = {}) {
  const m = gicv3(options).start();
  m.set(0, 'ICH_HCR_EL2', 1);
  m.setGuest(0, 'ICC_PMR_EL1', 0xff);
  m.setGuest(0, 'ICC_IGRPEN1_EL1', 1);
  const state = (register: number) => (m.cpu(0).readSystem(`ICH_LR${register as 0}_EL2`)?.hi ?? 0) >>> 30;
  const put = (register: number, vintid: number, hi: number) => m.set(0, `ICH_LR${register as 0}_EL2`, vintid, hi);
  return { ...m, state, put };
}

t.test('identification: ICH_VTR_EL2', async (t) => {
  const { sys } = gicv3({ listRegisters: 6 });
  t.equal(sys(0, 'ICH_VTR_EL2') & 0x1f, 5, 'ListRegs: six');
  t.equal((sys(0, 'ICH_VTR_EL2') >>> 29) & 7, 4, 'PRIbits: five');
});

t.test('a pending list register is signalled, acknowledged, ended', async (t) => {
  const m = virtual();
  m.put(0, 40, upper(PENDING, 0xa0));
  t.ok(m.cpu(0).virq);
  t.equal(m.guest(0, 'ICC_HPPIR1_EL1'), 40);
  t.equal(m.guest(0, 'ICC_IAR1_EL1'), 40);
  t.equal(m.state(0), ACTIVE);
  t.equal(m.guest(0, 'ICC_RPR_EL1'), 0xa0);
  t.notOk(m.cpu(0).virq);
  m.setGuest(0, 'ICC_EOIR1_EL1', 40);
  t.equal(m.state(0), 0);
  t.equal(m.guest(0, 'ICC_IAR1_EL1'), SPURIOUS);
});

t.test('nothing is signalled while the interface is off, masked, or its group disabled', async (t) => {
  const m = virtual();
  m.put(0, 40, upper(PENDING, 0xa0));
  m.set(0, 'ICH_HCR_EL2', 0);
  t.notOk(m.cpu(0).virq);
  m.set(0, 'ICH_HCR_EL2', 1);
  m.setGuest(0, 'ICC_PMR_EL1', 0xa0);
  t.notOk(m.cpu(0).virq);
  m.setGuest(0, 'ICC_PMR_EL1', 0xff);
  m.setGuest(0, 'ICC_IGRPEN1_EL1', 0);
  t.notOk(m.cpu(0).virq);
  m.setGuest(0, 'ICC_IGRPEN1_EL1', 1);
  t.ok(m.cpu(0).virq);
});

t.test('the highest priority of the list registers comes first, and preempts', async (t) => {
  const m = virtual();
  m.put(0, 40, upper(PENDING, 0xa0));
  t.equal(m.guest(0, 'ICC_IAR1_EL1'), 40);
  m.put(2, 41, upper(PENDING, 0xa0));
  t.notOk(m.cpu(0).virq, 'equal priority');
  m.put(1, 42, upper(PENDING, 0x40));
  t.equal(m.guest(0, 'ICC_IAR1_EL1'), 42);
  m.setGuest(0, 'ICC_EOIR1_EL1', 42);
  t.equal(m.guest(0, 'ICC_RPR_EL1'), 0xa0);
  m.setGuest(0, 'ICC_EOIR1_EL1', 40);
  t.equal(m.guest(0, 'ICC_IAR1_EL1'), 41);
});

t.test("ending an interrupt of the hardware's deactivates the physical one", async (t) => {
  const m = virtual();
  m.set(0, 'ICC_CTLR_EL1', 2);
  m.enable(3);
  const line = m.line(3);
  line.set(true);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 35);
  m.set(0, 'ICC_EOIR1_EL1', 35);
  t.equal(m.active(35), 1, 'priority dropped, still active');
  m.put(0, 35, upper(PENDING, 0xa0, { hw: 35 }));
  t.equal(m.guest(0, 'ICC_IAR1_EL1'), 35);
  t.equal(m.active(35), 1);
  m.setGuest(0, 'ICC_EOIR1_EL1', 35);
  t.equal(m.active(35), 0);
  t.ok(m.cpu(0).irq, 'the line is still high');
});

t.test('without HW, ending says nothing to the physical interrupt of the same number', async (t) => {
  const m = virtual();
  m.set(0, 'ICC_CTLR_EL1', 2);
  m.enable(3);
  m.line(3).set(true);
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 35);
  m.set(0, 'ICC_EOIR1_EL1', 35);
  m.put(0, 35, upper(PENDING, 0xa0));
  t.equal(m.guest(0, 'ICC_IAR1_EL1'), 35);
  m.setGuest(0, 'ICC_EOIR1_EL1', 35);
  t.equal(m.active(35), 1);
});

t.test('EOImode 1 of the guest: EOIR drops the priority, DIR deactivates', async (t) => {
  const m = virtual();
  m.setGuest(0, 'ICC_CTLR_EL1', 2);
  m.put(0, 40, upper(PENDING, 0xa0));
  t.equal(m.guest(0, 'ICC_IAR1_EL1'), 40);
  m.setGuest(0, 'ICC_EOIR1_EL1', 40);
  t.equal(m.state(0), ACTIVE);
  t.equal(m.guest(0, 'ICC_RPR_EL1'), 0xff);
  m.setGuest(0, 'ICC_DIR_EL1', 40);
  t.equal(m.state(0), 0);
});

t.test('ICH_ELRSR_EL2 shows empty list registers; ICH_EISR_EL2 those that ask for maintenance', async (t) => {
  const m = virtual();
  t.equal(m.sys(0, 'ICH_ELRSR_EL2'), 0xf);
  m.put(1, 40, upper(PENDING, 0xa0, { eoi: 1 }));
  t.equal(m.sys(0, 'ICH_ELRSR_EL2'), 0xd);
  t.equal(m.guest(0, 'ICC_IAR1_EL1'), 40);
  m.setGuest(0, 'ICC_EOIR1_EL1', 40);
  t.equal(m.sys(0, 'ICH_EISR_EL2'), 0x2);
  t.equal(m.sys(0, 'ICH_MISR_EL2') & 1, 1, 'MISR.EOI');
  m.put(1, 0, 0);
  t.equal(m.sys(0, 'ICH_EISR_EL2'), 0);
});

t.test('the maintenance interrupt is INTID 25: underflow with at most one list register in use', async (t) => {
  const m = virtual();
  m.writeR(0, 0x1_0080, 0xffff_ffff);
  m.writeR(0, 0x1_0100, 1 << 25);
  m.put(0, 40, upper(PENDING, 0xa0));
  m.put(1, 41, upper(PENDING, 0xa0));
  m.set(0, 'ICH_HCR_EL2', 3);
  t.equal(m.sys(0, 'ICH_MISR_EL2') & 2, 0);
  t.notOk(m.cpu(0).irq);
  t.equal(m.guest(0, 'ICC_IAR1_EL1'), 40);
  m.setGuest(0, 'ICC_EOIR1_EL1', 40);
  t.equal(m.sys(0, 'ICH_MISR_EL2') & 2, 2, 'MISR.U');
  t.equal(m.sys(0, 'ICC_IAR1_EL1'), 25);
  m.set(0, 'ICH_HCR_EL2', 1);
  m.set(0, 'ICC_EOIR1_EL1', 25);
  t.notOk(m.cpu(0).irq);
});

t.test('ICH_VMCR_EL2 is the guest’s own mask and enables', async (t) => {
  const m = virtual();
  m.setGuest(0, 'ICC_PMR_EL1', 0x80);
  t.equal(m.sys(0, 'ICH_VMCR_EL2') >>> 24, 0x80, 'VPMR 31:24');
  t.equal((m.sys(0, 'ICH_VMCR_EL2') >>> 1) & 1, 1, 'VENG1');
  m.set(0, 'ICH_VMCR_EL2', 0x4000_0000);
  t.equal(m.guest(0, 'ICC_PMR_EL1'), 0x40);
  t.equal(m.guest(0, 'ICC_IGRPEN1_EL1'), 0);
});

t.test('an interrupt that is pending and active is taken again when it is ended', async (t) => {
  const m = virtual();
  m.put(0, 40, upper(PENDING | ACTIVE, 0xa0));
  t.notOk(m.cpu(0).virq, 'not while it is active');
  m.set(0, 'ICH_AP1R0_EL2', 1 << 20);
  m.setGuest(0, 'ICC_EOIR1_EL1', 40);
  t.equal(m.state(0), PENDING);
  t.equal(m.guest(0, 'ICC_IAR1_EL1'), 40);
});
