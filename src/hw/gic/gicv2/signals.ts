/** What a GICv2 offers a CPU: signals, and no system registers. Arm IHI 0048B.b 2.3.3 and 5.1. */
import type { CpuInterface } from '../../interrupt.js';
import type { CpuInterfaceRegisters } from './cpu-interface.js';

/** The signals of one CPU, from its physical and its virtual CPU interface. */
export function signalsOf(gicc: CpuInterfaceRegisters, gicv: CpuInterfaceRegisters): CpuInterface {
  return {
    get irq() {
      return gicc.signal === 'irq';
    },
    get fiq() {
      return gicc.signal === 'fiq';
    },
    get virq() {
      return gicv.signal === 'irq';
    },
    get vfiq() {
      return gicv.signal === 'fiq';
    },
    readSystem: () => undefined,
    writeSystem: () => false,
    readVirtual: () => undefined,
    writeVirtual: () => false,
  };
}
