/** Having another CPU do something (xen/common/smp.c, on_selected_cpus): registers of a CPU are reached by that CPU alone. */
import { SGI } from '../gic/driver.js';
import { print, type Xen } from '../xen.js';

/**
 * Runs something on a CPU and waits until it is done.
 * @returns false if the CPU does not answer; it will run it when it takes interrupts again
 */
export function callOn(xen: Xen, cpu: number, action: (xen: Xen) => void): boolean {
  const { gic } = xen;
  if (cpu === xen.cpu || gic === undefined) {
    action(xen);
    return true;
  }
  let done = false;
  gic.calls[cpu] ??= [];
  gic.calls[cpu].push((on) => {
    action(on);
    done = true;
  });
  xen.steps.gic.sendSgi(xen, cpu, SGI.CALL_FUNCTION);
  xen.machine.cpus.takeInterrupts(cpu);
  if (!done) print(xen, `CPU ${cpu} does not answer CPU ${xen.cpu}`);
  return done;
}

/** Runs what other CPUs asked this one for. */
export function runCalls(xen: Xen, cpu: number): void {
  const waiting = xen.gic?.calls[cpu]?.splice(0) ?? [];
  for (const action of waiting) action(xen);
}
