/**
 * Ids of the DMA endpoint: vendor 0x5457, device 0x0001, class 0xff0000 (unclassified). They are of the project's choice,
 * registered nowhere. Its first base address register holds the engine of `../dma-engine-layout.ts`; the others hold
 * plain storage.
 */
export const DMA_DEVICE_IDS = { vendorId: 0x5457, deviceId: 0x0001, classCode: 0xff_0000 } as const;
