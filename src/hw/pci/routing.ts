/**
 * The way of a memory request from a function towards the root complex: where bridges stop it, turn it to a peer, or give
 * it another requester id.
 *
 * PCI Express Base Specification 7.5.1.1.3 and 7.5.1.3 (a bridge forwards upstream, as bus master, what lies in none of its
 * windows), 1.3.3 (switches route between their downstream ports by address), 6.12.1 (Access Control Services); PCI
 * Express to PCI/PCI-X Bridge Specification 1.0 (the bridge is the requester of what comes from its secondary bus:
 * secondary bus number, device 0, function 0). A conventional bridge on a PCI Express bus is the requester itself.
 *
 * Peer-to-peer here: functions of one device below a bridge reach each other inside it, functions below the downstream
 * ports of one switch in the switch, agents of a conventional bus on that bus; none of these requests is seen by an IOMMU.
 * Root ports and root complex integrated endpoints do not route to each other (1.3.1 leaves that to the root complex):
 * what they pass on goes upstream.
 *
 * Not modelled: completions as packets of their own, multicast, egress control, routing of messages by id.
 */
import { hex, join } from '../address.js';
import type { Completion, Transaction } from '../transaction.js';
import type { MemoryTarget, PciBridge, PciBus } from './bridge.js';
import type { PciFunction } from './pci-function.js';

/** Where a request comes out. */
export type Route =
  /** At the root complex, perhaps under another requester id. */
  | { readonly kind: 'upstream'; readonly transaction: Transaction }
  /** At a peer's memory, with no translation. */
  | { readonly kind: 'peer'; readonly peer: MemoryTarget }
  /** Nowhere. `at` is the bridge that blocked it, if the specification has a name for why. */
  | { readonly kind: 'blocked'; readonly at?: PciFunction; readonly name?: string; readonly text?: string };

const BLOCKED: Route = { kind: 'blocked' };

/** Whether a function, or a port, sends requests for its peers upstream instead. */
function redirects({ acs }: PciFunction, { addressType }: Transaction): boolean {
  if (acs === undefined || !acs.has('REQUEST_REDIRECT')) return false;
  return !(acs.has('DIRECT_TRANSLATED') && addressType === 'translated');
}

/** What a root port or downstream port has against a request from below (6.12.1.1), if anything. */
function violation(port: PciBridge, { requester, addressType }: Transaction): string | undefined {
  const bus = requester >>> 8;
  if (port.acs?.has('SOURCE_VALIDATION') && (bus < port.secondary || bus > port.subordinate)) {
    return `source validation: requester id ${hex(requester)} is of none of the buses behind the port`;
  }
  if (port.acs?.has('TRANSLATION_BLOCKING') && addressType !== 'untranslated') {
    return `translation blocking: the request is a ${addressType} one`;
  }
  return undefined;
}

/** Finds where a request of `fn`, which is on `bus`, comes out. */
export function route(fn: PciFunction, bus: PciBus, request: Transaction): Route {
  if (!fn.isPresent || !fn.busMasterEnabled) return BLOCKED;
  let transaction = request;
  const address = join(request.hi, request.lo);
  // A translation request asks the root complex; its address is no place.
  const isPlaced = request.addressType !== 'translation request';
  let isRedirected = false;
  if (isPlaced && bus.bridge !== undefined && !bus.isConventional) {
    const peer = bus.decodeWithin(fn, address);
    if (peer !== undefined && !redirects(fn, request)) return { kind: 'peer', peer };
    isRedirected = peer !== undefined;
  }
  let from = fn;
  for (let on = bus; on.bridge !== undefined; on = on.bridge.primaryBus) {
    const { bridge } = on;
    const unsupported = (text: string): Route => ({ kind: 'blocked', at: bridge, name: 'unsupported request', text });
    const toPeer = (side: PciBus, except: PciFunction): Route => {
      const peer = side.decode(address, except);
      return peer === undefined ? unsupported(`no function decodes ${hex(address)}`) : { kind: 'peer', peer };
    };
    if (on.isConventional) {
      if (transaction.pasid !== undefined || transaction.addressType !== 'untranslated') {
        return unsupported('a conventional bus carries neither PASIDs nor address types');
      }
      if (on.claims(address, from)) return toPeer(on, from);
    }
    if (!bridge.isPresent || !bridge.busMasterEnabled) return BLOCKED;
    const isOwnWindow = isPlaced && bridge.forwards(address);
    if (bridge.isDownstreamPort) {
      const text = violation(bridge, transaction);
      if (text !== undefined) return { kind: 'blocked', at: bridge, name: 'ACS violation', text };
      if (isOwnWindow && !bridge.acs?.has('UPSTREAM_FORWARDING')) {
        return unsupported(`${hex(address)} from below lies in the port's own window`);
      }
      const isSwitch = bridge.description.portType === 'downstream port';
      const isForPeer = isPlaced && isSwitch && bridge.primaryBus.claims(address, bridge);
      if (isForPeer && !redirects(bridge, transaction)) return toPeer(bridge.primaryBus, bridge);
      isRedirected ||= isOwnWindow || isForPeer;
    } else if (isOwnWindow && !isRedirected) {
      return unsupported(`${hex(address)} from below lies in the bridge's own window`);
    }
    const alias = bridge.requesterAlias;
    if (alias !== undefined) transaction = { ...transaction, requester: alias };
    from = bridge;
  }
  return { kind: 'upstream', transaction };
}

/** Moves the bytes of a request to or from a peer's memory; a request that does not lie in it whole is aborted. */
export function moveToPeer({ target, bar, offset }: MemoryTarget, { write, data }: Transaction): Completion {
  if (offset + data.length > bar.size) return 'abort';
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  for (let done = 0; done < data.length; ) {
    const at = offset + done;
    const left = data.length - done;
    const width = at % 4 === 0 && left >= 4 ? 4 : at % 2 === 0 && left >= 2 ? 2 : 1;
    if (write) {
      const value =
        width === 4 ? view.getUint32(done, true) : width === 2 ? view.getUint16(done, true) : view.getUint8(done);
      target.writeMemory(bar, at, width, value);
    } else {
      const value = target.readMemory(bar, at, width);
      if (width === 4) view.setUint32(done, value, true);
      else if (width === 2) view.setUint16(done, value, true);
      else view.setUint8(done, value);
    }
    done += width;
  }
  return 'okay';
}
