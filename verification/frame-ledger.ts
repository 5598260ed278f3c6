/**
 * The frame ledger: an independent record of which machine frame holds which page of which domain.
 *
 * It never asks Xen. A domain's own store through its CPU puts a pattern of its own into each page, and memory tells
 * where the pattern arrived. A frame that two owners reach is a finding, not a fact to build on.
 */
import { TWO_32 } from '../src/hw/address.js';

/** 4 KiB, the unit of Xen's frames on Arm64. */
export const FRAME = 4096;

/** One page of a domain. */
export interface Page {
  readonly domid: number;
  /** Guest frame. */
  readonly gfn: number;
  /** Machine frame. */
  readonly mfn: number;
}

/** Who was seen to own what. */
export class FrameLedger {
  readonly #byFrame = new Map<number, Page>();
  readonly #byPage = new Map<string, Page>();
  #next = 0x5eed_0001;

  /** A 32-bit pattern that was never used before and is never zero. */
  pattern(): number {
    this.#next = (Math.imul(this.#next, 0x9e37_79b1) + 0x7f4a_7c15) >>> 0;
    return this.#next === 0 ? this.pattern() : this.#next;
  }

  /**
   * Enters a page. Seen again in the same frame, it stays as it is.
   * @returns the page that holds the frame already, if it is another's: two owners
   */
  enter(page: Page): Page | undefined {
    const holder = this.#byFrame.get(page.mfn);
    if (holder !== undefined && (holder.domid !== page.domid || holder.gfn !== page.gfn)) return holder;
    this.#byFrame.set(page.mfn, page);
    this.#byPage.set(`${page.domid} ${page.gfn}`, page);
    return undefined;
  }

  /** Who holds the frame of a physical address; undefined: no domain was seen to. */
  ownerOf(address: number): Page | undefined {
    return this.#byFrame.get(Math.floor(address / FRAME));
  }

  /** The machine address of a guest address that was entered; undefined if its page was not. */
  machineAddress(domid: number, guestAddress: number): number | undefined {
    const page = this.#byPage.get(`${domid} ${Math.floor(guestAddress / FRAME)}`);
    return page === undefined ? undefined : page.mfn * FRAME + (guestAddress % FRAME);
  }

  /** The pages of a domain, by guest frame. */
  pagesOf(domid: number): readonly Page[] {
    return [...this.#byFrame.values()].filter((page) => page.domid === domid).sort((a, b) => a.gfn - b.gfn);
  }

  /** Forgets a domain that is no more: its frames may go to others. */
  forget(domid: number): void {
    for (const page of this.pagesOf(domid)) {
      this.#byFrame.delete(page.mfn);
      this.#byPage.delete(`${page.domid} ${page.gfn}`);
    }
  }
}

/** The bytes of a 32-bit pattern, as a little-endian store leaves them. */
export function patternBytes(pattern: number): Uint8Array {
  return Uint8Array.of(pattern, pattern >>> 8, pattern >>> 16, pattern >>> 24);
}

/** A 32-bit little-endian number from four bytes. */
export function wordOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) % TWO_32;
}
