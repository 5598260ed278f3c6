/**
 * The DMA engine: its registers and bits.
 *
 * It is a device of this project's own; there is no other manual than this. A region of at least 4 KiB holds its
 * registers and, in the upper half, a buffer:
 *
 * | offset | register | |
 * |---|---|---|
 * | 0x00 | IDENTIFICATION | read-only 0x31445754, `TWD1` |
 * | 0x04 | BUFFER_OFFSET | read-only: where the buffer begins |
 * | 0x08 | BUFFER_SIZE | read-only: its bytes |
 * | 0x10 0x14 | SOURCE | 64-bit address that COPY and LOAD read from |
 * | 0x18 0x1c | DESTINATION | 64-bit address that COPY and STORE write to |
 * | 0x20 | LENGTH | bytes, 1 to BUFFER_SIZE |
 * | 0x24 | PASID | value 19:0, VALID 31: the requests carry it |
 * | 0x28 | ATTRIBUTES | PRIVILEGED 0, EXECUTE 1 (reads only), ADDRESS_TYPE 3:2 as in a request: 0, 1 or 2 (translated) |
 * | 0x2c | COMMAND | write-only: 1 LOAD memory to buffer, 2 STORE buffer to memory, 3 COPY through the buffer |
 * | 0x30 | STATUS | BUSY 0; DONE 1 and ERROR 2, cleared by writing 1 |
 * | 0x34 | INTERRUPT_ENABLE | DONE 1: the device wants its interrupt while INTERRUPT_STATUS.DONE is 1 |
 * | 0x38 | INTERRUPT_STATUS | DONE 1: a command has ended; cleared by writing 1 |
 * | 0x3c | STREAM | which of its ids the requests use, counted from 0: one of a platform device's stream ids |
 *
 * Registers take whole words: narrower writes are ignored. A command while BUSY is ignored; one on a stream that the
 * device does not have ends in an error.
 */
import { encode, layout } from './bits.js';
import type { AddressType } from './transaction.js';

/** Offsets of its registers. */
export const DMA_REGISTER = {
  IDENTIFICATION: 0x00,
  BUFFER_OFFSET: 0x04,
  BUFFER_SIZE: 0x08,
  SOURCE_LO: 0x10,
  SOURCE_HI: 0x14,
  DESTINATION_LO: 0x18,
  DESTINATION_HI: 0x1c,
  LENGTH: 0x20,
  PASID: 0x24,
  ATTRIBUTES: 0x28,
  COMMAND: 0x2c,
  STATUS: 0x30,
  INTERRUPT_ENABLE: 0x34,
  INTERRUPT_STATUS: 0x38,
  STREAM: 0x3c,
} as const;

/** PASID register. */
export const DMA_PASID = layout('PASID', 32, { VALUE: [19, 0], VALID: 31 });
/** ATTRIBUTES register. */
export const DMA_ATTRIBUTES = layout('ATTRIBUTES', 32, { PRIVILEGED: 0, EXECUTE: 1, ADDRESS_TYPE: [3, 2] });
/** STATUS register. */
const DMA_STATUS = layout('STATUS', 32, { BUSY: 0, DONE: 1, ERROR: 2 });
/** Bits of the STATUS register, as words. */
export const DMA_STATUS_WORD = {
  BUSY: encode(DMA_STATUS, 32, { BUSY: 1 })[0] as number,
  DONE: encode(DMA_STATUS, 32, { DONE: 1 })[0] as number,
  ERROR: encode(DMA_STATUS, 32, { ERROR: 1 })[0] as number,
};
/** INTERRUPT_ENABLE and INTERRUPT_STATUS registers: the bit stands where STATUS has it. */
const DMA_INTERRUPT = layout('INTERRUPT', 32, { DONE: 1 });
/** Bits of the interrupt registers, as words. */
export const DMA_INTERRUPT_WORD = { DONE: encode(DMA_INTERRUPT, 32, { DONE: 1 })[0] as number };
/** Values of the COMMAND register. */
export const DMA_COMMAND = { LOAD: 1, STORE: 2, COPY: 3 } as const;
/** ATTRIBUTES.ADDRESS_TYPE, by value. */
export const DMA_ADDRESS_TYPES: readonly AddressType[] = ['untranslated', 'translation request', 'translated'];
/** Value of the IDENTIFICATION register. */
export const DMA_IDENTIFICATION = 0x3144_5754;
