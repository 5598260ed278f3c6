/**
 * Domains that the boot loader describes: every child of `/chosen` that is compatible with `xen,domain`
 * (xen/common/device-tree/dom0less-build.c, create_domUs).
 *
 * One that cannot be created is told of on the console and leaves nothing behind; boot goes on with the next. Xen panics.
 */
import { print, type Xen } from '../xen.js';
import { isDomain } from './module.js';

/** Creates the domains of `/chosen`, in order. */
export function createDomains(xen: Xen): void {
  for (const node of xen.platform.tree.byPath('/chosen')?.children ?? []) {
    if (!isDomain(node)) continue;
    xen.steps.dom0less.releaseBanks(xen, node);
    const result = xen.steps.domain.createFromNode(xen, node);
    print(xen, 'domid' in result ? `${node.path} is d${result.domid}` : `${node.path}: no domain (${result.error})`);
  }
}
