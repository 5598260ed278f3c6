/** What is wrong with the configuration of a domain: which node, which property, and Xen's error code for it. */
import { FirmwareFormatError } from '../../firmware/fdt.js';
import { type DeviceNode, DeviceTreeError } from '../../firmware/tree.js';
import { type Errno, failure } from '../errno.js';
import { print, type Xen } from '../xen.js';

/** A configuration that makes no domain. */
export class ConfigError extends Error {
  readonly errno: Errno;
  constructor(errno: Errno, node: DeviceNode, property: string, text: string) {
    super(`${node.path}: ${property}: ${text}`);
    this.name = 'ConfigError';
    this.errno = errno;
  }
}

/** Why a configuration is none. */
export interface BadConfig {
  /** Negative error code. */
  readonly error: number;
  /** Node, property and what is wrong: `/passthrough/eth@0: xen,reg: no whole number of entries`. */
  readonly reason: string;
}

/** Runs a reading. What the tree does not allow becomes a {@link BadConfig}; any other error is thrown on. */
export function reading<T>(read: () => T): T | BadConfig {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) return { error: failure(error.errno), reason: error.message };
    if (error instanceof FirmwareFormatError || error instanceof DeviceTreeError) {
      return { error: failure('EINVAL'), reason: error.message };
    }
    throw error;
  }
}

/** Prints what is wrong with a configuration. Returns the error code. */
export function reportConfig(xen: Xen, reason: string, error: number): number {
  print(xen, `domain configuration: ${reason} (${error})`);
  return error;
}
