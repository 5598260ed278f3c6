/** PCI functions as their own drivers set them up, beyond what firmware has done: PCI Express Base, chapters 7 and 9. */
import type { Sbdf } from '../../src/hw/machine.js';
import { configAddress, registerWord, setRegisterWord } from '../device-registers.js';
import type { PassthroughBench } from '../passthrough-bench.js';

/** Quarantine: the domain that has devices which are nobody's (xen/include/public/xen.h, DOMID_IO). */
export const QUARANTINE = 0x7ff1;

const PCI_EXPRESS = 0x10;
/** Device Control, and Phantom Functions Enable there (7.5.3.4). */
const DEVICE_CONTROL = 0x8;
const PHANTOM_FUNCTIONS_ENABLE = 1 << 9;
const SRIOV = 0x10;
/** SR-IOV Control with VF Enable 0 and VF Memory Space Enable 3, and NumVFs (9.3.3.3, 9.3.3.7). */
const SRIOV_CONTROL = 0x8;
const NUM_VFS = 0x10;
const VFS_ON = 0x9;
/** Memory space and bus master (7.5.1.1.3). */
const COMMAND = 0x4;
const COMMAND_ON = 0x6;

/** Offset of a capability. */
function capability(bench: PassthroughBench, sbdf: Sbdf, id: number): number {
  const word = (offset: number) => registerWord(bench, configAddress(sbdf, offset));
  for (let at = word(0x34) & 0xfc; at !== 0; at = (word(at) >>> 8) & 0xfc) if ((word(at) & 0xff) === id) return at;
  throw new Error(`there is no capability ${id}`);
}

/** Offset of an extended capability. */
function extendedCapability(bench: PassthroughBench, sbdf: Sbdf, id: number): number {
  const word = (offset: number) => registerWord(bench, configAddress(sbdf, offset));
  for (let at = 0x100; at !== 0; at = word(at) >>> 20) if ((word(at) & 0xffff) === id) return at;
  throw new Error(`there is no extended capability ${id}`);
}

/** Lets a function make requests under the numbers of its phantom functions. */
export function enablePhantomFunctions(bench: PassthroughBench, sbdf: Sbdf): void {
  const register = configAddress(sbdf, capability(bench, sbdf, PCI_EXPRESS) + DEVICE_CONTROL);
  setRegisterWord(bench, register, (registerWord(bench, register) & 0xffff) | PHANTOM_FUNCTIONS_ENABLE);
}

/** Enables virtual functions of a physical one, and their memory where firmware has placed it. */
export function enableVirtualFunctions(bench: PassthroughBench, sbdf: Sbdf, count: number): void {
  const at = extendedCapability(bench, sbdf, SRIOV);
  const numbers = configAddress(sbdf, at + NUM_VFS);
  setRegisterWord(bench, numbers, ((registerWord(bench, numbers) & 0xffff_0000) | count) >>> 0);
  setRegisterWord(bench, configAddress(sbdf, at + SRIOV_CONTROL), VFS_ON);
}

/** Where CPUs see the first memory of a virtual function: one after the other, from what the physical one says (9.2.1.1.1). */
export function virtualMemory(bench: PassthroughBench, physical: Sbdf, number: number, size: number): number {
  const register = configAddress(physical, extendedCapability(bench, physical, SRIOV) + 0x24);
  const low = registerWord(bench, register);
  const high = (low & 6) === 4 ? registerWord(bench, register + 4) : 0;
  return high * 2 ** 32 + ((low & 0xffff_fff0) >>> 0) + number * size;
}

/** The words of a function's header that its driver or firmware has set: command, and base address registers. */
export function saveHeader(bench: PassthroughBench, sbdf: Sbdf): () => void {
  const offsets = [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24];
  const saved = offsets.map((offset) => registerWord(bench, configAddress(sbdf, offset)));
  return () => {
    for (const [index, offset] of offsets.entries())
      setRegisterWord(bench, configAddress(sbdf, offset), saved[index] ?? 0);
    setRegisterWord(bench, configAddress(sbdf, COMMAND), COMMAND_ON);
  };
}

/** Lets a function decode its memory and make requests. */
export function enableFunction(bench: PassthroughBench, sbdf: Sbdf): void {
  setRegisterWord(bench, configAddress(sbdf, COMMAND), COMMAND_ON);
}
