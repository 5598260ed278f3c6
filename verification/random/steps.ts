/** What happens at random, as plain data: who does what with which of three domains and of the board's devices. */
/** Domains that there can be at once, by letter. */
export const DOMAINS = ['A', 'B', 'C'] as const;
export type Slot = (typeof DOMAINS)[number];
/** Pages of a domain that are looked at. The first holds the arguments of its hypercalls. */
export const PAGES = 4;

/** One step. Devices are numbers, counted around the board's. */
export type Step =
  | { readonly do: 'create'; readonly slot: Slot; readonly devices: readonly number[] }
  | { readonly do: 'destroy'; readonly slot: Slot }
  | { readonly do: 'assign'; readonly slot: Slot; readonly device: number }
  | { readonly do: 'deassign'; readonly slot: Slot; readonly device: number }
  | { readonly do: 'interrupt'; readonly device: number }
  | { readonly do: 'give back'; readonly slot: Slot; readonly page: number }
  | { readonly do: 'map registers'; readonly slot: Slot }
  | { readonly do: 'unmap registers'; readonly slot: Slot };

/** A step as a line. @param names of the board's devices */
export function describe(step: Step, names: readonly string[]): string {
  switch (step.do) {
    case 'create':
      return `create ${step.slot} with ${step.devices.map((device) => names[device]).join(', ') || 'no device'}`;
    case 'assign':
      return `assign ${names[step.device]} to ${step.slot}`;
    case 'deassign':
      return `deassign ${names[step.device]} from ${step.slot}`;
    case 'destroy':
      return `destroy ${step.slot}`;
    case 'interrupt':
      return `${names[step.device]} interrupts`;
    case 'give back':
      return `${step.slot} gives page ${step.page} back`;
    case 'map registers':
      return `map registers of the hardware domain to ${step.slot}`;
    case 'unmap registers':
      return `unmap them from ${step.slot}`;
  }
}
